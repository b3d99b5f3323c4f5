using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>Ranks of true values among draws of a flow.</summary>
internal static class FlowRanks
{
    private const int MaxDraws = 65_536;

    /// <summary>(N, D): how many of the draws of each row are below its true value, feature by feature.</summary>
    public static double[,] Of(Flow flow, PlotData x, PlotData? context, int draws, long? seed)
    {
        if (draws < 1) throw new ArgumentException($"draws is {draws}; expected at least 1.", nameof(draws));
        using var all = NewDisposeScope();
        var given = FlowInput.Rows(flow, x, nameof(x));
        var (count, features) = ((int)given.size(0), (int)(given.numel() / given.size(0)));
        var contexts = FlowInput.Contexts(flow, context, count);
        // as the flow sees them: a number that float32 rounds is equal to its sample
        var truth = Check.Numbers(given, nameof(x));
        var ranks = new double[count, features];
        // equal values, as of whole numbers, are ordered by chance
        var chance = new Random(0);
        var rows = Math.Max(1, MaxDraws / draws);
        for (var start = 0; start < count; start += rows)
        {
            using var scope = NewDisposeScope();
            var size = Math.Min(rows, count - start);
            var samples = Check.Numbers(contexts is null
                ? flow.Sample((long)size * draws, seed: seed + start)
                : flow.Sample(draws, contexts.narrow(0, start, size), seed: seed + start), "samples");
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
