using static TorchSharp.torch;

namespace RealNvp.Samples.Common;

/// <summary>ECOD, outlier detection by empirical cumulative distributions (Li, Zhao, Hu, Botta, Ionescu and
/// Chen, TKDE 2022, arXiv 2201.00382): how far out in its tails each feature is.</summary>
/// <remarks>
/// For each feature −log of the share of the rows that lie as far out or farther, at the left, at the right, and at the side to which
/// the feature is skewed; the score of a row is the largest of the three sums over features (algorithm 1). A new row counts as one of
/// the rows, so that no share is zero.
/// </remarks>
public sealed class Ecod : IDetector
{
    private readonly double[][] sorted;
    private readonly bool[] leftTail;

    /// <summary>Sorts each feature.</summary>
    /// <param name="rows">float64 (N, D) on the CPU, all finite, N at least 1.</param>
    public Ecod(Tensor rows)
    {
        var values = DetectorRows.Values(rows);
        var features = (int)rows.shape[1];
        sorted = [.. Enumerable.Range(0, features).Select(f => values.Where((_, i) => i % features == f).Order().ToArray())];
        leftTail = Array.ConvertAll(sorted, s => Skewness(s) < 0);
    }

    /// <inheritdoc/>
    public double[] Scores(Tensor rows)
    {
        var values = DetectorRows.Values(rows, sorted.Length);
        var scores = new double[values.Length / sorted.Length];
        for (var row = 0; row < scores.Length; row++)
        {
            var (left, right, skewed) = (0.0, 0.0, 0.0);
            for (var f = 0; f < sorted.Length; f++)
            {
                var (all, value) = (sorted[f], values[(row * sorted.Length) + f]);
                var below = -Math.Log((Count(all, value, orEqual: true) + 1.0) / (all.Length + 1));
                var above = -Math.Log((all.Length - Count(all, value, orEqual: false) + 1.0) / (all.Length + 1));
                left += below;
                right += above;
                skewed += leftTail[f] ? below : above;
            }
            scores[row] = Math.Max(skewed, Math.Max(left, right));
        }
        return scores;
    }

    // how many of the sorted numbers are below a value, or up to it
    private static int Count(double[] sorted, double value, bool orEqual)
    {
        var (low, high) = (0, sorted.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (sorted[middle] < value || (orEqual && sorted[middle] == value)) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    private static double Skewness(double[] values)
    {
        var mean = values.Average();
        return values.Sum(v => Math.Pow(v - mean, 3));
    }
}
