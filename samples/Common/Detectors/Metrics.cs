namespace RealNvp.Samples.Common;

/// <summary>How well a score tells anomalies from normal rows. A higher score means more anomalous.</summary>
public static class Metrics
{
    /// <summary>The area under the ROC curve: the chance that an anomaly scores higher than a normal row; a tie counts half.</summary>
    /// <param name="scores">One score a row.</param>
    /// <param name="anomalies">True if the row is an anomaly; as long as <paramref name="scores"/>, both kinds present.</param>
    public static double RocAuc(IReadOnlyList<double> scores, IReadOnlyList<bool> anomalies)
    {
        double above = 0, normal = 0, anomalous = 0;
        foreach (var (negatives, positives) in Ties(scores, anomalies, descending: false))
        {
            above += positives * (normal + 0.5 * negatives);
            normal += negatives;
            anomalous += positives;
        }
        return above / (normal * anomalous);
    }

    /// <summary>The average precision: the precision at each threshold, weighted by the recall that is gained there.</summary>
    /// <param name="scores">One score a row.</param>
    /// <param name="anomalies">True if the row is an anomaly; as long as <paramref name="scores"/>, at least one.</param>
    public static double AveragePrecision(IReadOnlyList<double> scores, IReadOnlyList<bool> anomalies)
    {
        double sum = 0, found = 0, seen = 0;
        foreach (var (negatives, positives) in Ties(scores, anomalies, descending: true))
        {
            found += positives;
            seen += negatives + positives;
            sum += positives * found / seen;
        }
        return sum / found;
    }

    // rows of the same score cannot be told apart, so they count together
    private static IEnumerable<(int Negatives, int Positives)> Ties(IReadOnlyList<double> scores, IReadOnlyList<bool> anomalies,
        bool descending)
    {
        var groups = scores.Zip(anomalies).GroupBy(p => p.First);
        foreach (var group in descending ? groups.OrderByDescending(g => g.Key) : groups.OrderBy(g => g.Key))
        {
            var positives = group.Count(p => p.Second);
            yield return (group.Count() - positives, positives);
        }
    }
}
