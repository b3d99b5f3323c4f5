using RealNvp.Kernels;
using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static RealNvp.Tests.Kernels.TransformerData;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

/// <summary>The mixture kernels against their reference in plain operations.</summary>
[LeavesNoTensors]
public sealed class MixtureKernelTests : IDisposable
{
    private readonly int width = LaneWidth.Bits;

    public static TheoryData<int, bool, int> Cases => new(
        from components in new[] { 1, 3, 8, 64 }
        from inverse in new[] { false, true }
        from bits in components == 8 ? new[] { 512, 256, 128, 0 } : [LaneWidth.Bits]
        select (components, inverse, bits));

    public static TheoryData<int, bool> Directions => new(
        from components in new[] { 1, 3, 8, 64 }
        from inverse in new[] { false, true }
        select (components, inverse));

    public void Dispose()
    {
        KernelSwitches.Mixture = true;
        LaneWidth.Bits = width;
        set_num_threads(1);
    }

    [Theory, MemberData(nameof(Cases))]
    public void In_float64_values_and_gradients_are_those_of_the_reference(int components, bool inverse, int bits)
    {
        using var scope = NewDisposeScope();
        LaneWidth.Bits = bits;
        using var mixture = new MixtureCdfTransformer(components);
        foreach (var spread in new[] { 0.5, 2 })
        {
            var data = Make(mixture, [37, 5], float64, spread);
            Agree(data.Run(mixture, inverse, kernel: true), data.Run(mixture, inverse, kernel: false), 1e-10);
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void In_float32_values_are_those_of_the_reference(int components, bool inverse, int bits)
    {
        using var scope = NewDisposeScope();
        LaneWidth.Bits = bits;
        using var mixture = new MixtureCdfTransformer(components);
        var data = Make(mixture, [37, 5], float32, spread: 0.5);
        var (kernel, reference) = (data.Run(mixture, inverse, kernel: true), data.Run(mixture, inverse, kernel: false));
        Agree([.. kernel.Take(2)], [.. reference.Take(2)], 1e-6);
        Agree([.. kernel.Skip(2)], [.. reference.Skip(2)], 2e-6);
    }

    [Theory, MemberData(nameof(Directions))]
    public void In_float32_kernels_are_on_average_as_close_to_float64_as_the_reference(int components, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var mixture = new MixtureCdfTransformer(components);
        var ratios = new List<double>();
        foreach (var spread in new[] { 0.5, 2.0, 8.0 })
        {
            var data = Make(mixture, [8000 / Math.Max(8, components), 7], float32, spread);
            var exact = data.To(float64).Run(mixture, inverse, kernel: false);
            var (kernel, reference) = (data.Run(mixture, inverse, kernel: true), data.Run(mixture, inverse, kernel: false));
            for (var i = 0; i < exact.Length; i++)
            {
                ratios.Add(MeanError(kernel[i], exact[i]) / MeanError(reference[i], exact[i]));
                // a few elements in steep places have most of the error of a result
                ratios[^1].Should().BeLessThan(1.5,
                    "that is the error of the kernel as a part of the reference's, in result {0} of {1} at a spread of {2}", i,
                    TransformerData.Names[i], spread);
            }
        }
        Math.Exp(ratios.Average(Math.Log)).Should().BeLessThan(1);
    }

    [Theory, InlineData(1, 1), InlineData(1, 7), InlineData(5, 1), InlineData(33, 2), InlineData(3, 8), InlineData(7, 17),
        InlineData(2, 40), InlineData(0, 3), InlineData(3, 0)]
    public void Any_number_of_rows_and_features_will_do(long rows, long features)
    {
        using var scope = NewDisposeScope();
        using var mixture = new MixtureCdfTransformer(5);
        var data = Make(mixture, [rows, features], float64, spread: 1);
        foreach (var bits in new[] { 512, 256, 128, 0 })
        {
            LaneWidth.Bits = bits;
            foreach (var inverse in new[] { false, true })
                Agree(data.Run(mixture, inverse, kernel: true), data.Run(mixture, inverse, kernel: false), 1e-10);
        }
    }

    [Fact]
    public void Images_and_parts_of_rows_will_do()
    {
        using var scope = NewDisposeScope();
        using var mixture = new MixtureCdfTransformer(4);
        var image = Make(mixture, [3, 2, 5, 3], float64, spread: 1);
        var wide = Make(mixture, [6, 9], float64, spread: 1);
        var part = wide with { X = wide.X.narrow(1, 2, 4), Parameters = wide.Parameters.narrow(1, 5, 4 * mixture.ParametersPerElement),
            OfValue = wide.OfValue.narrow(1, 1, 4), OfLog = wide.OfLog.narrow(1, 0, 1).expand(6, 4) };
        var turned = wide with { X = wide.X.t().contiguous().t() };
        ElementwiseOperation.CanRun(mixture.Map!, part.X, part.Parameters).Should().BeTrue();
        ElementwiseOperation.CanRun(mixture.Map!, turned.X, turned.Parameters).Should().BeTrue("elements may lie apart");
        ElementwiseOperation.CanRun(mixture.Map!, image.X.transpose(2, 3).contiguous().transpose(2, 3), image.Parameters).Should()
            .BeFalse("but evenly");
        foreach (var inverse in new[] { false, true })
        {
            Agree(image.Run(mixture, inverse, kernel: true), image.Run(mixture, inverse, kernel: false), 1e-10);
            Agree(part.Run(mixture, inverse, kernel: true), part.Run(mixture, inverse, kernel: false), 1e-10);
            Agree(turned.Run(mixture, inverse, kernel: true), wide.Run(mixture, inverse, kernel: false), 1e-10);
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Results_are_finite_where_those_of_the_reference_are(bool inverse)
    {
        using var scope = NewDisposeScope();
        using var mixture = new MixtureCdfTransformer(8);
        foreach (var dtype in new[] { float32, float64 })
            foreach (var spread in new[] { 0, 1, 10, 100, 1e4 })
            {
                var data = Make(mixture, [600, 3], dtype, spread);
                var far = tensor([0, 1e4, -1e4, 1e30, -1e30, float.Epsilon], dtype: dtype).unsqueeze(1).repeat(100, 3);
                foreach (var x in new[] { data.X, far })
                {
                    var wild = data with { X = x };
                    var (kernel, reference) = (wild.Run(mixture, inverse, kernel: true), wild.Run(mixture, inverse, kernel: false));
                    for (var i = 0; i < reference.Length; i++)
                        kernel[i].isfinite().logical_or(reference[i].isfinite().logical_not()).all().item<bool>().Should()
                            .BeTrue("{0} at a spread of {1} in {2}", TransformerData.Names[i], spread, dtype);
                    kernel[0].isfinite().logical_and(kernel[1].isfinite()).all().item<bool>().Should().BeTrue();
                }
            }
    }

    [Fact]
    public void Both_tails_are_lines_and_the_gap_between_components_has_the_slope_that_it_should()
    {
        using var scope = NewDisposeScope();
        using var mixture = new MixtureCdfTransformer(2);
        // weights 1/2, means ±1000, sizes 1
        var parameters = tensor([0.0, 0, -1000, 1000, 0, 0, 0, 0]).unsqueeze(0).expand(5, -1).contiguous();
        var x = tensor([-1e6, -500, 0, 500.0, 1e6]).unsqueeze(1);
        var (y, logDerivative) = mixture.Forward(x, parameters);
        var two = Math.Log(2);
        Agree([y], [tensor([-1e6 + 1000 - two, 0, 0, 0, 1e6 - 1000 + two]).unsqueeze(1)], 1e-13);
        Agree([logDerivative!], [tensor([0, -500 + two, -1000 + (2 * two), -500 + two, 0]).unsqueeze(1)], 1e-13);
        var narrow = mixture.Forward(x.to(float32), parameters.to(float32));
        Agree([narrow.Value.to(float64), narrow.LogDerivative!.to(float64)], [y, logDerivative!], 1e-7);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Two_threads_give_what_one_gives_to_the_last_bit(bool inverse)
    {
        using var scope = NewDisposeScope();
        using var mixture = new MixtureCdfTransformer(8);
        var data = Make(mixture, [701, 21], float32, spread: 2);
        var one = data.Run(mixture, inverse, kernel: true);
        set_num_threads(2);
        var two = data.Run(mixture, inverse, kernel: true);
        for (var i = 0; i < one.Length; i++) one[i].eq(two[i]).all().item<bool>().Should().BeTrue();
    }

    [Theory, MemberData(nameof(Directions))]
    public void Gradients_of_gradients_are_those_of_the_reference(int components, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var mixture = new MixtureCdfTransformer(components);
        var data = Make(mixture, [9, 3], float64, spread: 0.5);
        Agree(data.Second(mixture, inverse, kernel: true), data.Second(mixture, inverse, kernel: false), 1e-9);
    }

    [Theory]
    [InlineData(true, true, false), InlineData(true, false, false), InlineData(false, true, false), InlineData(true, true, true),
        InlineData(true, false, true), InlineData(false, true, true)]
    public void One_result_and_one_argument_are_enough_for_a_gradient(bool ofValue, bool ofParameters, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var mixture = new MixtureCdfTransformer(6);
        var data = Make(mixture, [9, 3], float64, spread: 1);
        var found = new[] { true, false }.Select(kernel =>
        {
            KernelSwitches.Mixture = kernel;
            var argument = (ofParameters ? data.Parameters : data.X).detach().clone().requires_grad_();
            Tensor value, logDerivative;
            // what autograd keeps must outlive the scope in which the graph was made
            using (var inner = NewDisposeScope())
            {
                var (x, parameters) = ofParameters ? (data.X, argument) : (argument, data.Parameters);
                var result = inverse ? mixture.Inverse(x, parameters) : mixture.Forward(x, parameters);
                (value, logDerivative) = (inner.MoveToOuter(result.Value), inner.MoveToOuter(result.LogDerivative!));
            }
            (ofValue ? value : logDerivative).sum().backward();
            return new[] { argument.grad! };
        }).ToArray();
        Agree(found[0], found[1], 1e-10);
    }

    [Fact]
    public void NaN_parameters_give_NaN_and_not_a_number_that_looks_right()
    {
        using var scope = NewDisposeScope();
        using var mixture = new MixtureCdfTransformer(4);
        for (var p = 0; p < mixture.ParametersPerElement - 1; p++)
        {
            var parameters = zeros(1, mixture.ParametersPerElement);
            parameters[0, p] = float.NaN;
            var (y, logDerivative) = mixture.Forward(ones(1, 1), parameters);
            y.isnan().all().item<bool>().Should().BeTrue("parameter {0} is NaN", p);
            logDerivative!.isnan().all().item<bool>().Should().BeTrue("parameter {0} is NaN", p);
            FluentActions.Invoking(() => mixture.Inverse(ones(1, 1), parameters)).Should().Throw<InvalidOperationException>()
                .WithMessage("MixtureCdfTransformer.Inverse found no root*");
        }
    }

    [Fact]
    public void Threads_may_differentiate_the_same_mixture_at_once()
    {
        using var scope = NewDisposeScope();
        using var mixture = new MixtureCdfTransformer(8);
        Make(mixture, [50, 4], float32, spread: 1).HoldsOnThreads(mixture, inverse: true);
    }

    private static TransformerData Make(MixtureCdfTransformer mixture, long[] shape, ScalarType dtype, double spread) =>
        TransformerData.Make(mixture, shape, dtype, spread, centre: 0, width: 3, on => KernelSwitches.Mixture = on);
}
