using RealNvp.Kernels;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Kernels;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Few;

/// <summary>Autoregressive layers on few rows, in one pass and feature by feature: sizes around those of vectors, every order, contexts,
/// all maps. What is masked has random numbers in its weight, so that reading a number too many shows.</summary>
[LeavesNoTensors]
public class MadeRowsTests
{
    private static readonly (long Features, long Hidden)[] sizes = [(1, 16), (2, 16), (2, 100), (3, 32), (5, 13), (6, 48), (7, 256),
        (10, 128), (16, 32), (17, 160), (20, 16), (33, 40), (40, 64), (70, 64)];

    [Theory, InlineData(512), InlineData(256), InlineData(128)]
    public void They_are_what_tensors_give(int bits)
    {
        var before = LaneWidth.Bits;
        LaneWidth.Bits = bits;
        try
        {
            var number = 0;
            foreach (var (features, hidden) in sizes)
                for (var kind = 0; kind < 4; kind++) Check(features, hidden, kind, number++);
        }
        finally { LaneWidth.Bits = before; }
    }

    private static void Check(long features, long hidden, int kind, int number)
    {
        using var scope = NewDisposeScope();
        manual_seed(number);
        var random = new Random(number);
        long[] order = [.. Enumerable.Range(0, (int)features).Select(i => (long)i)];
        if (kind == 1) Array.Reverse(order);
        if (kind > 1) random.Shuffle(order);
        var options = new MadeOptions { Hidden = hidden, Blocks = kind, Residual = kind != 1, Order = order,
            ContextSize = kind > 1 ? 3 : 0, InputLimit = kind == 3 ? 2 : null };
        ScalarTransformer Map() => (kind, number % 3) switch
        {
            (0, _) => new AdditiveTransformer(),
            (3, 1) => new SplineTransformer(bins: 5, bound: 3),
            (3, 2) => new MixtureCdfTransformer(components: 3),
            _ => new AffineTransformer([1]),
        };
        AutoregressiveLayer Layer()
        {
            var map = Map();
            return new(map, new Made(features, map.ParametersPerElement, options));
        }
        using var flow = new Flow([features], new Chain(Layer(), new InvertedLayer(Layer())));
        RandomWeights.Draw(flow, number, 0.3 / Math.Sqrt(hidden));
        flow.eval();
        foreach (var rows in (int[])[1, 3, 16])
        {
            flow.to(float64);
            var (x, context) = (randn(rows, features, float64), kind > 1 ? randn(rows, 3, float64) : null);
            FewRows.IsKnown(flow, x, context).Should().BeTrue();
            var exact = All(flow, x, context, plan: false);
            Near(All(flow, x, context, plan: true), exact, exact, 1e-10);
            flow.to(float32);
            var (single, given) = (x.to(float32), context?.to(float32));
            Near(All(flow, single, given, plan: true), All(flow, single, given, plan: false), exact, 2e-6);

            void Near(Tensor[] few, Tensor[] plain, Tensor[] truth, double rounding)
            {
                for (var i = 0; i < few.Length; i++)
                    KernelResults.ApartOfMeanSquare(few[i], truth[i], 1).Should().BeLessThan(rounding
                        + (4 * KernelResults.ApartOfMeanSquare(plain[i], truth[i], 1)),
                        "of result {0} of {1} rows of {2} features and {3} units, kind {4}", i, rows, features, hidden, kind);
            }
        }
    }

    private static Tensor[] All(Flow flow, Tensor x, Tensor? context, bool plan) =>
        FewRows.With(plan, () => new[] { flow.Encode(x, context), flow.Decode(x, context), flow.LogProb(x, context) });
}
