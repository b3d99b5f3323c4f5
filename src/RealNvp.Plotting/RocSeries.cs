namespace RealNvp.Plotting;

/// <summary>One curve of a <see cref="RocCurve"/>.</summary>
public sealed class RocSeries
{
    private RocSeries(string name, double area, IReadOnlyList<(double, double)> points) => (Name, Area, Points) = (name, area, points);

    /// <summary>The name of the score.</summary>
    public string Name { get; }

    /// <summary>
    /// The area under the curve, 0 to 1: the share of pairs of a positive and a negative
    /// example in which the positive has the higher score; equal scores count one half.
    /// </summary>
    public double Area { get; }

    /// <summary>
    /// The curve, from (0, 0) to (1, 1): for each score that occurs, from the highest down,
    /// the shares of the negatives and of the positives that have it or a higher one.
    /// </summary>
    public IReadOnlyList<(double FalsePositiveRate, double TruePositiveRate)> Points { get; }

    internal static RocSeries Of(string name, double[] scores, bool[] isPositive)
    {
        var order = Enumerable.Range(0, scores.Length).ToArray();
        Array.Sort(Array.ConvertAll(scores, s => -s), order);
        long positives = isPositive.Count(p => p), negatives = scores.Length - positives;
        List<(double, double)> points = [(0, 0)];
        // twice the number of pairs that are won, so that the halves of ties stay whole numbers
        var won = (UInt128)0;
        long truePositives = 0, falsePositives = 0;
        for (var i = 0; i < order.Length;)
        {
            var score = scores[order[i]];
            long p = 0, n = 0;
            for (; i < order.Length && scores[order[i]] == score; i++)
            {
                if (isPositive[order[i]]) p++;
                else n++;
            }
            // the positives from before have higher scores than these negatives, those of now the same
            won += (UInt128)n * (UInt128)(2 * truePositives + p);
            (truePositives, falsePositives) = (truePositives + p, falsePositives + n);
            points.Add((falsePositives / (double)negatives, truePositives / (double)positives));
        }
        return new RocSeries(name, (double)won / (2.0 * positives * negatives), points);
    }
}
