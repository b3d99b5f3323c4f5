using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>Ranks of true values among draws of a flow.</summary>
internal static class FlowRanks
{
    private const int MaxDraws = 65_536;

    /// <summary>(N, D): how many of the draws of each row are below its true value, feature by feature.</summary>
    public static double[,] Of(Flow flow, Tensor x, Tensor? context, int draws, long? seed)
    {
        ArgumentNullException.ThrowIfNull(flow);
        ArgumentNullException.ThrowIfNull(x);
        if (draws < 1) throw new ArgumentException($"draws is {draws}; expected at least 1.", nameof(draws));
        if (x.Dimensions < 1 || x.size(0) < 1 || x.numel() != x.size(0) * flow.InputShape.NumElements)
            throw new ArgumentException(
                $"x has shape {Check.Shape(x)}; expected at least one row of {flow.InputShape.NumElements} numbers, as the flow has them.",
                nameof(x));
        var (count, features) = ((int)x.size(0), (int)flow.InputShape.NumElements);
        if (context is not null && (context.Dimensions < 1 || context.size(0) != count))
            throw new ArgumentException($"context has shape {Check.Shape(context)}; expected one row for each of the {count} rows of x.",
                nameof(context));
        var truth = Check.Numbers(x, nameof(x));
        Check.Finite(truth, nameof(x));
        var ranks = new double[count, features];
        // equal values, as of whole numbers, are ordered by chance
        var chance = new Random(0);
        var rows = Math.Max(1, MaxDraws / draws);
        for (var start = 0; start < count; start += rows)
        {
            using var scope = NewDisposeScope();
            var size = Math.Min(rows, count - start);
            var samples = Check.Numbers(context is null
                ? flow.Sample((long)size * draws, seed: seed + start)
                : flow.Sample(draws, context.narrow(0, start, size), seed: seed + start), "samples");
            for (var row = 0; row < size; row++)
                for (var feature = 0; feature < features; feature++)
                {
                    var (below, equal) = (0, 0);
                    var value = truth[(start + row) * features + feature];
                    for (var draw = 0; draw < draws; draw++)
                    {
                        var sample = samples[(row * draws + draw) * features + feature];
                        if (sample < value) below++;
                        else if (sample == value) equal++;
                    }
                    ranks[start + row, feature] = below + chance.Next(equal + 1);
                }
        }
        return ranks;
    }
}
