using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Kernels;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Few;

/// <summary>A plan for few rows gives what tensors give: over all presets and all layers, in both dtypes.</summary>
[LeavesNoTensors]
public class FewRowsTests
{
    // one after the other, and in lanes, of which float64 has fewer than that
    private static readonly int[] counts = [1, 16];

    /// <summary>What a plan does not know: images, noise, solvers and searches.</summary>
    private static bool HasPlan(string preset) => PresetTable.All[preset] is { Shape.Count: 1, Levels: 0 } options
        && options is not (ResidualFlowOptions or FfjordOptions);

    [Theory]
    [MemberData(nameof(PresetTable.Names), MemberType = typeof(PresetTable))]
    public void A_preset_gives_for_few_rows_what_tensors_give(string name)
    {
        using var scope = NewDisposeScope();
        using var model = PresetTable.Create(name);
        var (x, context) = (PresetTable.Examples(model.ModelOptions, 16), PresetTable.Context(model.ModelOptions, 16));
        FewRows.IsKnown(model, x[..1], context?[..1]).Should().Be(HasPlan(name), "of {0}", name);
        if (HasPlan(name)) Compare(model, x, context, name);
    }

    public static TheoryData<string> Layers => [.. LayerTable.All.Where(c => c.Shape.Count == 1).Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Layers))]
    public void A_layer_gives_for_few_rows_what_tensors_give(string name)
    {
        using var scope = NewDisposeScope();
        var of = LayerTable.All.First(c => c.Name == name);
        manual_seed(3);
        var layer = of.Make();
        using var flow = new Flow(of.Shape, layer, layer.KeepsLength || !layer.CircularFeatures.Any() ? null
            : new UniformBox(layer.OutputShapeOf(of.Shape), layer.CircularFeatures[0].Low, layer.CircularFeatures[0].High));
        RandomWeights.Draw(flow, 4, 0.2);
        flow.to(float64);
        flow.eval();
        var x = (of.Sample?.Invoke().to(float64) ?? randn([16, .. of.Shape], float64))[..16];
        var context = flow.ContextSize == 0 ? null : randn(16, flow.ContextSize, float64);
        if (FewRows.IsKnown(flow, x[..1], context?[..1])) Compare(flow, x, context, name);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void A_layer_of_a_user_s_is_in_the_plan_if_it_maps_rows_and_works_as_before_if_not(bool maps)
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        using var flow = new Flow([4], new Chain(new Standardization([4]), maps ? new MappingShift(4) : new Shift(4),
            new InvertedLayer(maps ? new MappingShift(4) : new Shift(4)), new Permutation([4], [2, 0, 3, 1]),
            new AffineCouplingLayer([4], Mask.FirstHalf(4), size => new Mlp(size.Inputs, size.Outputs, 8))));
        RandomWeights.Draw(flow, 4, 0.3);
        flow.to(float64);
        var x = randn(16, 4, float64);
        FewRows.IsKnown(flow, x[..1]).Should().Be(maps);
        Compare(flow, x, null, $"a user's layer, {maps}");
    }

    [Fact]
    public void A_second_standardization_gets_what_the_first_has_rounded()
    {
        using var scope = NewDisposeScope();
        Standardization first = new([2]), second = new([2]);
        using var flow = new Flow([2], new Chain(first, second, new DiagonalScaling([2])));
        // 33,554,433 is no number of float32
        second.Fit((randn(64, 2, float64) * 4) + 33_554_433.0);
        var x = (randn(16, 2, float64) * 4) + 33_554_433.0;
        FewRows.IsKnown(flow, x).Should().BeTrue();
        foreach (var ((method, value), (_, expected)) in FewRows.All(flow, x, null, plan: true, float64)
            .Zip(FewRows.All(flow, x, null, plan: false, float64)))
            KernelResults.ApartOfMeanSquare(value, expected, 1).Should().BeLessThan(1e-6, "of {0}", method);
    }

    // z = 2 x + a, as a user writes it
    private class Shift : Bijection
    {
        protected readonly TorchSharp.Modules.Parameter shift;

        public Shift(long size) : base(nameof(Shift), [size])
        {
            shift = new(ones(size));
            RegisterComponents();
        }

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
            (x.mul(Scalars.Two).add(shift, Scalars.One), full(x.shape[0], Scalars.Of(x.shape[1] * Math.Log(2)), x.dtype));

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) =>
            (z.sub(shift).mul(Scalars.Half), full(z.shape[0], Scalars.Of(-z.shape[1] * Math.Log(2)), z.dtype));
    }

    private sealed class MappingShift(long size) : Shift(size), IMapsRows
    {
        public double MapRow(Span<double> row, ReadOnlySpan<double> context, bool inverse)
        {
            using var scope = NewDisposeScope();
            var by = shift.to(float64).data<double>();
            for (var i = 0; i < row.Length; i++) row[i] = inverse ? (row[i] - by[i]) / 2 : (2 * row[i]) + by[i];
            return (inverse ? -1 : 1) * row.Length * Math.Log(2);
        }
    }

    private static void Compare(Flow flow, Tensor x, Tensor? context, string name)
    {
        var exact = counts.ToDictionary(n => n, n => FewRows.All(flow, x[..n], context?[..n], plan: false));
        foreach (var n in counts) Near(FewRows.All(flow, x[..n], context?[..n], plan: true), exact[n], exact[n], 1e-9, $"{name}, {n} rows");
        flow.to(float32);
        var (single, given) = (x.to(float32), context?.to(float32));
        foreach (var n in counts)
        {
            var plain = FewRows.All(flow, single[..n], given?[..n], plan: false);
            Near(FewRows.All(flow, single[..n], given?[..n], plan: true), plain, exact[n], 2e-6, $"{name}, {n} rows of float32");
            // data in float64, and wanted in it
            Near(FewRows.All(flow, x[..n], context?[..n], plan: true, float64), FewRows.All(flow, x[..n], context?[..n], plan: false,
                float64), exact[n], 2e-6, $"{name}, {n} rows of float64 in a flow of float32");
        }
    }

    // no farther from what is exact than tensors are, up to the rounding of sums in another order
    private static void Near(IReadOnlyList<(string Name, Tensor Value)> few, IReadOnlyList<(string, Tensor Value)> plain,
        IReadOnlyList<(string, Tensor Value)> exact, double rounding, string of)
    {
        foreach (var ((method, value), (_, expected), (_, truth)) in few.Zip(plain, exact))
        {
            value.dtype.Should().Be(expected.dtype);
            value.shape.Should().Equal(expected.shape);
            var allowed = rounding + (4 * KernelResults.ApartOfMeanSquare(expected, truth, 1));
            KernelResults.ApartOfMeanSquare(value, expected, 1).Should().BeLessThan(allowed, "of {0} of {1}", method, of);
        }
    }
}
