using System.Numerics;
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

    public static TheoryData<int, int, bool, int> Records => new(
        from ends in Enum.GetValues<SplineEnds>()
        from bins in new[] { 8, 33 }
        from inverse in new[] { false, true }
        from bits in new[] { 512, 256, 128, 0 }
        select ((int)ends, bins, inverse, bits));

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

    [Theory, MemberData(nameof(Records))]
    public void Gradients_of_a_record_are_those_of_the_parameters(int ends, int bins, bool inverse, int bits)
    {
        LaneWidth.Bits = bits;
        var shape = new SplineShape(bins, -1, 4, (SplineEnds)ends, 1e-3, 1e-3);
        shape.Records.Should().BeTrue();
        // whole vectors, what is left of runs in two to four pieces and more, and a last vector that would take elements twice
        foreach (var columns in new[] { 1, 5, 8, 21, 22, 31, 40 })
        {
            Compare<double>(shape, inverse, columns, 1e-12);
            Compare<float>(shape, inverse, columns, 3e-6);
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Gradients_of_a_record_are_as_close_to_float64_as_those_of_the_parameters(bool inverse)
    {
        var shape = new SplineShape(8, -3, 3, SplineEnds.Linear, 1e-3, 1e-3);
        foreach (var spread in new[] { 2.0, 16.0 })
        {
            var exact = Apply<double>(shape, inverse, 500, 7, spread, recorded: false);
            var (parameters, record) = (Apply<float>(shape, inverse, 500, 7, spread, recorded: false),
                Apply<float>(shape, inverse, 500, 7, spread, recorded: true));
            for (var i = 2; i < exact.Length; i++)
                Error(record[i], exact[i]).Should().BeLessThan(1.1 * Error(parameters[i], exact[i]), "result {0}, spread {1}", i, spread);
        }
    }

    [Fact]
    public void An_element_with_few_derivatives_has_no_record() =>
        new SplineShape(7, -1, 1, SplineEnds.Linear, 1e-3, 1e-3).Records.Should().BeFalse();

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

    private static double Error(double[] values, double[] exact) => values.Zip(exact, (a, b) => Math.Abs(a - b)).Average();

    private static void Compare<T>(SplineShape shape, bool inverse, int columns, double tolerance)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        const int rows = 7;
        var expected = Apply<T>(shape, inverse, rows, columns, 3, recorded: false);
        var found = Apply<T>(shape, inverse, rows, columns, 3, recorded: true);
        // value and log-derivative do not know of the record
        found[0].Should().Equal(expected[0]);
        found[1].Should().Equal(expected[1]);
        foreach (var i in new[] { 2, 3 })
        {
            var most = expected[i].Max(Math.Abs);
            for (var j = 0; j < expected[i].Length; j++)
                found[i][j].Should().BeApproximately(expected[i][j], tolerance * most, "result {0}, element {1} of {2} columns", i, j,
                    columns);
        }
    }

    // value, log-derivative, and the gradients of the input and of the parameters
    private static unsafe double[][] Apply<T>(SplineShape shape, bool inverse, int rows, int columns, double spread, bool recorded)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var random = new Random(1);
        var (count, parameters) = (rows * columns, shape.Parameters);
        // numbers of float32, so that both dtypes map the same
        T[] Numbers(int number, double center, double size) =>
            [.. Enumerable.Range(0, number).Select(_ => T.CreateChecked((float)(center + (size * (random.NextDouble() - 0.5)))))];
        // some lie beyond the interval
        var input = Numbers(count, (shape.Low + shape.High) / 2, 1.1 * (shape.High - shape.Low));
        var (raw, ofValue, ofLog) = (Numbers(count * parameters, 0, spread), Numbers(count, 0, 2), Numbers(count, 0, 2));
        T[] value = new T[count], log = new T[count], ofInput = new T[count], ofRaw = new T[count * parameters];
        fixed (T* x = input, p = raw, gy = ofValue, gl = ofLog, y = value, l = log, gx = ofInput, gp = ofRaw)
        {
            var map = new SplineMap(shape);
            var streams = stackalloc Stream<T>[6];
            Stream<T> Of(T* at, bool output) => new((nint)at, columns, 1, output);
            Stream<T> All(T* at, bool output) => new((nint)at, columns * parameters, parameters, output) { Block = columns };
            var job = new ElementJob<T> { Streams = streams, Count = 4, Inner = columns, Runs = 1, End = rows, Inverse = inverse,
                Recorded = recorded };
            (streams[0], streams[1], streams[2], streams[3]) = (Of(x, false), All(p, false) with { InPlace = recorded }, Of(y, true),
                Of(l, true));
            map.Run(job);
            (streams[1], streams[2], streams[3], streams[4], streams[5]) = (All(p, false), Of(gy, false), Of(gl, false), Of(gx, true),
                All(gp, true));
            job.Gradient = true;
            job.Count = 6;
            map.Run(job);
        }
        return [.. new[] { value, log, ofInput, ofRaw }.Select(numbers => numbers.Select(double.CreateChecked).ToArray())];
    }
}
