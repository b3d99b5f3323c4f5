using System.Collections.Concurrent;
using RealNvp.Internal;

namespace RealNvp;

/// <summary>
/// What the empirical distribution function of N independent uniform values does at some points, exactly: how likely it is that it is
/// nowhere odder than it was seen to be, and the simultaneous band that it leaves with a given probability
/// (Säilynoja, Bürkner, Vehtari 2022, https://arxiv.org/abs/2103.10522, with the probability computed in place of simulated).
/// </summary>
/// <remarks>
/// The function is odd where its count is, by the binomial distribution of the one point; the statistic is the oddest point. Counts in
/// bins are independent Poisson variables given their sum (Moscovich and Nadler 2017, https://arxiv.org/abs/1503.04363), so the
/// probability that all counts stay in intervals is a product of narrow matrices.
/// </remarks>
internal sealed class UniformBand
{
    private const int MaxBins = 100, Kept = 64;
    private const double Rounding = 1 + 1e-9;
    private static readonly ConcurrentDictionary<(int, int), UniformBand> known = new();
    private static readonly ConcurrentDictionary<(int, int, double), double> bounds = new();

    private readonly int count, values;
    private readonly BinomialTails[] tails;
    private readonly double[][] increments;
    private readonly int[] kindOf, binOf;

    private UniformBand(int count, int values)
    {
        (this.count, this.values) = (count, values);
        Bins = values == 0 ? MaxBins : Math.Min(values, MaxBins);
        // the first value of each bin, and one past the last; of continuous values the bins are equal
        var edges = Enumerable.Range(0, Bins + 1).Select(b => values == 0 ? b : (int)((long)b * values / Bins)).ToArray();
        double all = edges[^1];
        binOf = values == 0 ? [] : [.. Enumerable.Range(0, Bins).SelectMany(b => Enumerable.Repeat(b, edges[b + 1] - edges[b]))];
        Points = [.. edges[1..^1].Select(e => e / all)];
        tails = [.. Points.Select(p => new BinomialTails(count, p))];
        var sizes = Enumerable.Range(0, Bins).Select(b => edges[b + 1] - edges[b]).ToArray();
        var kinds = sizes.Distinct().ToArray();
        kindOf = Array.ConvertAll(sizes, s => Array.IndexOf(kinds, s));
        increments = Array.ConvertAll(kinds, s => Poisson(count * s / all, count));
    }

    /// <summary>The number of bins.</summary>
    public int Bins { get; }

    /// <summary>The points between the bins, rising, in 0 ... 1.</summary>
    public double[] Points { get; }

    /// <summary>The band of N values, each one of 0 ... <paramref name="values"/> − 1, or of 0 ... 1 if that is 0.</summary>
    public static UniformBand Of(int count, int values)
    {
        if (known.TryGetValue((count, values), out var band)) return band;
        if (known.Count >= Kept) known.Clear();
        return known[(count, values)] = new UniformBand(count, values);
    }

    /// <summary>The bin of a whole number.</summary>
    public int BinOf(int value) => binOf[value];

    /// <summary>The bin of a number in 0 ... 1.</summary>
    public int BinOf(double value) => Math.Clamp((int)(value * Bins), 0, Bins - 1);

    /// <summary>How odd the oddest point is, from 0 to 1, for the numbers of values in each bin.</summary>
    public double Oddest(ReadOnlySpan<int> bins)
    {
        var (oddest, sum) = (1.0, 0);
        for (var k = 0; k < tails.Length; k++)
        {
            sum += bins[k];
            oddest = Math.Min(oddest, tails[k].Of(sum));
        }
        return oddest;
    }

    /// <summary>The probability that uniform values have a point that is as odd, or odder.</summary>
    public double PValue(double oddest)
    {
        // the sum over points bounds it, and is not lost in rounding
        if (oddest * tails.Length < 1e-9) return Math.Max(oddest * tails.Length, 1e-25);
        return Math.Clamp(1 - Inside(Within(oddest)), oddest, 1);
    }

    /// <summary>The lowest and the highest count up to each point that a test at this level accepts.</summary>
    public (int Low, int High)[] Accepted(double level)
    {
        // of 150 values bins differ in size, of 200 they do not
        if (!bounds.TryGetValue((count, values, level), out var bound))
        {
            if (bounds.Count >= Kept) bounds.Clear();
            bounds[(count, values, level)] = bound = Bound(level);
        }
        return Within(bound);
    }

    /// <summary>Whether a statistic is as odd as another: equal ones are, whose rounding differs, as of points that mirror each
    /// other.</summary>
    public static bool AsOdd(double one, double other) => one <= other * Rounding;

    private (int Low, int High)[] Within(double bound) => Array.ConvertAll(tails, t => t.Within(bound * Rounding));

    // the largest bound that is passed with a probability of the level at most
    private double Bound(double level)
    {
        var (low, high) = (Math.Log(level / Math.Max(1, tails.Length)), Math.Log(level));
        for (var step = 0; step < 30; step++)
        {
            var middle = (low + high) / 2;
            if (PValue(Math.Exp(middle)) <= level) low = middle;
            else high = middle;
        }
        return Math.Exp(low);
    }

    // the probability that all counts are within
    private double Inside((int Low, int High)[] within)
    {
        var (before, low) = (new double[] { 1 }, 0);
        for (var k = 0; k <= within.Length; k++)
        {
            var (from, to) = k < within.Length ? within[k] : (count, count);
            var step = increments[kindOf[k]];
            var after = new double[to - from + 1];
            for (var i = 0; i < before.Length; i++)
            {
                if (before[i] == 0) continue;
                var last = Math.Min(to, low + i + step.Length - 1);
                for (var c = Math.Max(from, low + i); c <= last; c++) after[c - from] += before[i] * step[c - low - i];
            }
            (before, low) = (after, from);
        }
        return before[0] / Math.Exp((count * Math.Log(count)) - count - SpecialFunctions.LogGamma(count + 1));
    }

    private static double[] Poisson(double mean, int most)
    {
        var last = (int)Math.Min(most, mean + (12 * Math.Sqrt(mean)) + 60);
        return [.. Enumerable.Range(0, last + 1).Select(k => Math.Exp((k * Math.Log(mean)) - mean - SpecialFunctions.LogGamma(k + 1)))];
    }
}
