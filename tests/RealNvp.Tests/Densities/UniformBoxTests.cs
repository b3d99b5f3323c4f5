using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Densities;

/// <summary>The edges of a box: what counts as within, and that a flow scores what it samples there.</summary>
[LeavesNoTensors]
public sealed class UniformBoxTests
{
    public static TheoryData<double, double> Boxes => new() { { 0, 1 }, { -Math.PI, Math.PI }, { -4, 5 }, { 999, 1000 } };

    [Theory, MemberData(nameof(Boxes))]
    public void Up_to_four_roundings_beyond_an_edge_are_within(double low, double high)
    {
        using var scope = NewDisposeScope();
        foreach (var dtype in new[] { float32, float64 })
        {
            using var box = new UniformBox([2], low, high);
            var rounding = finfo(dtype).eps * Math.Max(Math.Abs(low), Math.Abs(high));
            double middle = (low + high) / 2, expected = -2 * Math.Log(high - low);
            double[] within = [low, high, low - (3 * rounding), high + (3 * rounding)],
                beyond = [low - (6 * rounding), high + (6 * rounding), low - 1e-2, high + 1e-2];
            foreach (var value in within)
                for (var element = 0; element < 2; element++)
                    box.LogProb(Row(value, element)).to(float64).item<double>().Should().BeApproximately(expected, 1e-6, "{0} in {1}",
                        value, dtype);
            foreach (var value in beyond)
                for (var element = 0; element < 2; element++)
                    box.LogProb(Row(value, element)).to(float64).item<double>().Should().Be(double.NegativeInfinity, "{0} in {1}", value,
                        dtype);

            Tensor Row(double value, int element) =>
                tensor(element == 0 ? new[] { value, middle } : [middle, value], dtype: dtype).unsqueeze(0);
        }
    }

    [Theory, InlineData("spline"), InlineData("torus")]
    public void A_flow_scores_what_it_decodes_from_the_edges(string kind)
    {
        using var scope = NewDisposeScope();
        foreach (var dtype in new[] { float32, float64 })
            for (var seed = 0; seed < 3; seed++)
            {
                const double low = -2, high = 3;
                using var flow = kind == "spline"
                    ? new Flow([3], new Chain(Coupling(Mask.Alternating(3), low, high), Coupling(!Mask.Alternating(3), low, high)),
                        new UniformBox([3], low, high))
                    : new SplineFlowModel(SplineFlowOptions.Torus(3) with { Layers = 3, Hidden = 16, CircleLow = low, CircleHigh = high },
                        seed);
                RandomWeights.Draw(flow, seed, 1);
                flow.to(dtype);
                // all pairs of edges, with the numbers beside them, and points between
                double step = finfo(dtype).eps * 4, inside = 0.3;
                var each = tensor(new[] { low, low + step, inside, high - step, high }, dtype: dtype);
                var z = cartesian_prod([each, each, each]);
                var x = flow.Decode(z);
                flow.LogProb(x).isfinite().all().item<bool>().Should().BeTrue("{0}, seed {1}", dtype, seed);
                flow.LogProb(flow.Sample(2000, seed: seed)).isfinite().all().item<bool>().Should().BeTrue();
            }
    }

    private static CouplingLayer Coupling(Mask mask, double low, double high) =>
        new([3], mask, new SplineTransformer(5, low, high, SplineTails.Box), size => new ResidualMlp(size.Inputs, size.Outputs, 16, 1));
}
