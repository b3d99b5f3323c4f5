using RealNvp.Kernels;
using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static RealNvp.Tests.Kernels.TransformerData;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

/// <summary>The spline kernels against their reference in plain operations.</summary>
[LeavesNoTensors]
public sealed class SplineKernelTests : IDisposable
{
    private readonly int width = LaneWidth.Bits;

    public static TheoryData<SplineTails, int, bool, int> Cases => new(
        from tails in Enum.GetValues<SplineTails>()
        from bins in new[] { 1, 2, 3, 8, 64 }
        from inverse in new[] { false, true }
        from bits in bins == 8 ? new[] { 512, 256, 128, 0 } : [LaneWidth.Bits]
        select (tails, bins, inverse, bits));

    public static TheoryData<SplineTails, int, bool> Directions => new(
        from tails in Enum.GetValues<SplineTails>()
        from bins in new[] { 2, 8, 64 }
        from inverse in new[] { false, true }
        select (tails, bins, inverse));

    public void Dispose()
    {
        KernelSwitches.Spline = true;
        LaneWidth.Bits = width;
        set_num_threads(1);
    }

    [Theory, MemberData(nameof(Cases))]
    public void In_float64_values_and_gradients_are_those_of_the_reference(SplineTails tails, int bins, bool inverse, int bits)
    {
        using var scope = NewDisposeScope();
        LaneWidth.Bits = bits;
        using var spline = new SplineTransformer(bins, -1, 4, tails);
        var data = Make(spline, [37, 5], float64, spread: 1);
        Agree(data.Run(spline, inverse, kernel: true), data.Run(spline, inverse, kernel: false), 1e-10);
    }

    [Theory, MemberData(nameof(Cases))]
    public void In_float32_values_are_those_of_the_reference(SplineTails tails, int bins, bool inverse, int bits)
    {
        using var scope = NewDisposeScope();
        LaneWidth.Bits = bits;
        using var spline = new SplineTransformer(bins, -1, 4, tails);
        // bins of much the same size: where they differ a thousandfold, so do the roundings of the reference
        var data = Make(spline, [37, 5], float32, spread: 0.1);
        var (kernel, reference) = (data.Run(spline, inverse, kernel: true), data.Run(spline, inverse, kernel: false));
        Agree([.. kernel.Take(1)], [.. reference.Take(1)], 1e-6);
        // in a bin of 1/64 the place is known to 64 ε
        Agree([.. kernel.Skip(1)], [.. reference.Skip(1)], 1e-6 * bins);
    }

    [Theory, MemberData(nameof(Directions))]
    public void In_float32_kernels_are_closer_to_float64_than_the_reference(SplineTails tails, int bins, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var spline = new SplineTransformer(bins, 3, tails);
        foreach (var spread in new[] { 1.0, 4.0 })
        {
            var data = Make(spline, [1000, 7], float32, spread);
            var exact = data.To(float64).Run(spline, inverse, kernel: false);
            var (kernel, reference) = (data.Run(spline, inverse, kernel: true), data.Run(spline, inverse, kernel: false));
            for (var i = 0; i < exact.Length; i++)
                MeanError(kernel[i], exact[i]).Should().BeLessThan(MeanError(reference[i], exact[i]),
                    "result {0} of {1} at a spread of {2}", i, TransformerData.Names[i], spread);
        }
    }

    [Theory, InlineData(1, 1), InlineData(1, 7), InlineData(5, 1), InlineData(33, 2), InlineData(3, 8), InlineData(3, 16),
        InlineData(7, 17), InlineData(2, 40), InlineData(0, 3), InlineData(3, 0)]
    public void Any_number_of_rows_and_features_will_do(long rows, long features)
    {
        using var scope = NewDisposeScope();
        using var spline = new SplineTransformer(5, 2);
        var data = Make(spline, [rows, features], float64, spread: 1);
        foreach (var bits in new[] { 512, 256, 128, 0 })
        {
            LaneWidth.Bits = bits;
            foreach (var inverse in new[] { false, true })
                Agree(data.Run(spline, inverse, kernel: true), data.Run(spline, inverse, kernel: false), 1e-10);
        }
    }

    [Fact]
    public void Images_and_parts_of_rows_will_do()
    {
        using var scope = NewDisposeScope();
        using var spline = new SplineTransformer(4, 2, SplineTails.Box);
        var image = Make(spline, [3, 2, 5, 3], float64, spread: 1);
        Agree(image.Run(spline, false, kernel: true), image.Run(spline, false, kernel: false), 1e-10);

        var wide = Make(spline, [6, 9], float64, spread: 1);
        var part = wide with { X = wide.X.narrow(1, 2, 4), Parameters = wide.Parameters.narrow(1, 5, 4 * spline.ParametersPerElement),
            OfValue = wide.OfValue.narrow(1, 1, 4), OfLog = wide.OfLog.narrow(1, 0, 1).expand(6, 4) };
        KernelSwitches.Spline = true;
        ElementwiseOperation.CanRun(spline.Map!, part.X, part.Parameters).Should().BeTrue();
        Agree(part.Run(spline, true, kernel: true), part.Run(spline, true, kernel: false), 1e-10);

        var turned = wide with { X = wide.X.t().contiguous().t() };
        KernelSwitches.Spline = true;
        ElementwiseOperation.CanRun(spline.Map!, turned.X, turned.Parameters).Should().BeTrue("elements may lie apart");
        ElementwiseOperation.CanRun(spline.Map!, image.X.transpose(2, 3).contiguous().transpose(2, 3), image.Parameters).Should()
            .BeFalse("but evenly");
        Agree(turned.Run(spline, true, kernel: true), wide.Run(spline, true, kernel: false), 1e-10);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Two_threads_give_what_one_gives_to_the_last_bit(bool inverse)
    {
        using var scope = NewDisposeScope();
        using var spline = new SplineTransformer(8, 2);
        var data = Make(spline, [701, 21], float32, spread: 2);
        var one = data.Run(spline, inverse, kernel: true);
        set_num_threads(2);
        var two = data.Run(spline, inverse, kernel: true);
        for (var i = 0; i < one.Length; i++) one[i].eq(two[i]).all().item<bool>().Should().BeTrue();
    }

    [Theory, MemberData(nameof(Directions))]
    public void Gradients_of_gradients_are_those_of_the_reference(SplineTails tails, int bins, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var spline = new SplineTransformer(bins, 3, tails);
        var data = Make(spline, [9, 3], float64, spread: 0.5);
        Agree(data.Second(spline, inverse, kernel: true), data.Second(spline, inverse, kernel: false), 1e-9);
    }

    [Theory, InlineData(true, true), InlineData(true, false), InlineData(false, true)]
    public void One_result_and_one_argument_are_enough_for_a_gradient(bool ofValue, bool ofParameters)
    {
        using var scope = NewDisposeScope();
        using var spline = new SplineTransformer(6, 3);
        var data = Make(spline, [9, 3], float64, spread: 1);
        var found = new[] { true, false }.Select(kernel =>
        {
            KernelSwitches.Spline = kernel;
            var argument = (ofParameters ? data.Parameters : data.X).detach().clone().requires_grad_();
            Tensor value, logDerivative;
            // what autograd keeps must outlive the scope in which the graph was made
            using (var inner = NewDisposeScope())
            {
                var result = ofParameters ? spline.Forward(data.X, argument) : spline.Forward(argument, data.Parameters);
                (value, logDerivative) = (inner.MoveToOuter(result.Value), inner.MoveToOuter(result.LogDerivative!));
            }
            (ofValue ? value : logDerivative).sum().backward();
            return new[] { argument.grad! };
        }).ToArray();
        Agree(found[0], found[1], 1e-10);
    }

    [Theory, MemberData(nameof(Directions))]
    public void Both_edges_stay_where_they_are_to_the_last_bit(SplineTails tails, int bins, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(5);
        using var spline = new SplineTransformer(bins, -1, 4, tails);
        var parameters = randn([400, 2 * spline.ParametersPerElement], generator: generator).mul(3);
        var x = tensor([-1f, 4f]).expand(400, 2).contiguous();
        var (y, _) = inverse ? spline.Inverse(x, parameters) : spline.Forward(x, parameters);
        y.eq(x).all().item<bool>().Should().BeTrue();
    }

    [Fact]
    public void NaN_parameters_give_NaN_and_not_a_number_that_looks_right()
    {
        using var scope = NewDisposeScope();
        using var spline = new SplineTransformer(8, 3);
        for (var p = 0; p < 16; p++)
        {
            var parameters = zeros(1, spline.ParametersPerElement);
            parameters[0, p] = float.NaN;
            var (y, logDerivative) = spline.Forward(zeros(1, 1), parameters);
            y.isnan().all().item<bool>().Should().BeTrue("weight {0} is NaN", p);
            logDerivative!.isnan().all().item<bool>().Should().BeTrue();
        }
    }

    [Fact]
    public void Threads_may_differentiate_the_same_spline_at_once()
    {
        using var scope = NewDisposeScope();
        using var spline = new SplineTransformer(8, 3);
        Make(spline, [50, 4], float32, spread: 1).HoldsOnThreads(spline, inverse: false);
    }

    private static TransformerData Make(SplineTransformer spline, long[] shape, ScalarType dtype, double spread) =>
        TransformerData.Make(spline, shape, dtype, spread, centre: (spline.Low + spline.High) / 2, width: (spline.High - spline.Low) / 4,
            on => KernelSwitches.Spline = on);
}
