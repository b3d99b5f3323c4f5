namespace RealNvp.Benchmarks.Presets;

/// <summary>The log-densities of some rows in a few numbers.</summary>
internal sealed record Scores(double Mean, double Low, double Least)
{
    /// <summary>Mean, 1st percentile and minimum.</summary>
    public static Scores Of(double[] logProb)
    {
        var sorted = logProb.Order().ToArray();
        return new(sorted.Average(), sorted[sorted.Length / 100], sorted[0]);
    }

    /// <summary>How often a held-out row has more density than a moved one.</summary>
    public static double Area(double[] heldOut, double[] moved)
    {
        var all = heldOut.Select(v => (Value: v, Held: true)).Concat(moved.Select(v => (Value: v, Held: false))).OrderBy(p => p.Value)
            .ToArray();
        double below = 0, pairs = 0;
        foreach (var (_, held) in all)
            if (held) pairs += below;
            else below++;
        return pairs / ((double)heldOut.Length * moved.Length);
    }
}
