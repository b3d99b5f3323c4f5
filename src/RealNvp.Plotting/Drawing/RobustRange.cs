namespace RealNvp.Plotting;

/// <summary>The range of an axis that shows the bulk of the values, whatever a few of them are.</summary>
internal static class RobustRange
{
    /// <summary>
    /// The smallest and largest value within <paramref name="fence"/> interquartile ranges of the quartiles
    /// (Tukey's fences), and always at least the middle 90 %.
    /// </summary>
    public static (double Low, double High) Of(double[] values, double fence)
    {
        var sorted = values.Order().ToArray();
        var (q1, q3) = (Quantile(sorted, 0.25), Quantile(sorted, 0.75));
        var (low, high) = (q1 - fence * (q3 - q1), q3 + fence * (q3 - q1));
        (low, high) = (Math.Min(low, Quantile(sorted, 0.05)), Math.Max(high, Quantile(sorted, 0.95)));
        var inside = sorted.Where(v => v >= low && v <= high).ToArray();
        return (inside[0], inside[^1]);
    }

    /// <summary>The range with a share of its length added at both ends; a range of length 0 gets a length.</summary>
    public static (double Low, double High) Pad(double low, double high, double share)
    {
        var space = share * (high - low);
        if (!(space > 0)) space = Math.Max(Math.Abs(low) * 0.05, 0.5);
        return (low - space, high + space);
    }

    /// <summary>The value below which the share <paramref name="q"/> of the sorted values lies, with linear interpolation.</summary>
    public static double Quantile(double[] sorted, double q)
    {
        var position = q * (sorted.Length - 1);
        var below = (int)Math.Floor(position);
        var above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
    }
}
