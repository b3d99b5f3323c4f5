namespace RealNvp.Plotting;

/// <summary>Exact quantiles of the binomial distribution.</summary>
internal static class Binomial
{
    // further out the weights are below the rounding of their sum
    private const double Least = 1e-30;

    /// <summary>
    /// The interval that a count of <paramref name="n"/> trials leaves on each side with probability (1
    /// − confidence)/2 at most: the largest lower end and the smallest upper end with this property.
    /// </summary>
    public static (int Low, int High) Interval(int n, double p, double confidence)
    {
        if (p <= 0) return (0, 0);
        if (p >= 1) return (n, n);
        // weights relative to that of the mode: they need no factorial, and their sum makes them exact
        var mode = (int)Math.Min(n, Math.Floor((n + 1.0) * p));
        List<double> below = [], above = [];
        var weight = 1.0;
        for (var k = mode; k > 0 && weight > Least; k--) below.Add(weight *= k * (1 - p) / ((n - k + 1.0) * p));
        weight = 1;
        for (var k = mode; k < n && weight > Least; k++) above.Add(weight *= (n - k) * p / ((k + 1.0) * (1 - p)));
        // small ones first, so that none is lost
        below.Reverse();
        above.Reverse();
        var tail = (1 - confidence) / 2 * (below.Sum() + 1 + above.Sum());
        return (mode - below.Count + Skipped(below, tail), mode + above.Count - Skipped(above, tail));
    }

    /// <summary>How many weights, from the outer end, weigh no more than the tail together.</summary>
    private static int Skipped(List<double> weights, double tail)
    {
        var (sum, count) = (0.0, 0);
        while (count < weights.Count && (sum += weights[count]) <= tail) count++;
        return count;
    }
}
