using System.Globalization;
using RealNvp.Describing;

namespace RealNvp;

/// <summary>How unusual rows are: a score and a p-value for each.</summary>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed class AnomalyScores : IHtml
{
    private const int MostShown = 10;

    private readonly int calibrationRows;

    internal AnomalyScores(double[] scores, double[] pValues, int calibrationRows) =>
        (Scores, PValues, this.calibrationRows) = (scores, pValues, calibrationRows);

    /// <summary>For each row, in nats, what <see cref="AnomalyDetector.Kind"/> says: the higher, the more unusual; infinite if no density
    /// reaches the row, or if a column that was constant has another value.</summary>
    public IReadOnlyList<double> Scores { get; }

    /// <summary>
    /// For each row the share of ordinary rows that are as unusual or more, in [1 / (n + 1), 1] with n rows that were kept for
    /// calibration: (1 + how many of these score as high) / (n + 1).
    /// </summary>
    /// <remarks>
    /// Conformal p-values (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005; Bates et al., 2023,
    /// arXiv 2104.08279): if a row is ordinary, and ordinary rows are drawn alike, its p-value is at most α with a probability of at most
    /// α, whatever the model. They are not the probability that a row is an anomaly.
    /// </remarks>
    public IReadOnlyList<double> PValues { get; }

    /// <summary>The rows that are called anomalies if a share of false alarms is allowed.</summary>
    /// <param name="falseAlarms">α, the share of ordinary rows that may be called so, in [1 / (n + 1), 1).</param>
    /// <returns>True for a row whose p-value is at most α.</returns>
    /// <exception cref="ArgumentOutOfRangeException">So small a share cannot be told by the rows of the calibration;
    /// the message says which is the smallest.</exception>
    public bool[] Detect(double falseAlarms = 0.01)
    {
        AnomalyDetector.CheckRate(falseAlarms, calibrationRows);
        return [.. PValues.Select(p => p <= falseAlarms * AnomalyDetector.Rounded)];
    }

    /// <summary>A sentence for a log.</summary>
    public override string ToString() => Scores.Count == 0 ? "no rows" : string.Create(CultureInfo.InvariantCulture,
        $"{Scores.Count:N0} rows, scores {Scores.Min():F2} to {Scores.Max():F2}, least p-value {PValues.Min():G3}");

    /// <summary>The rows with the highest scores as HTML: a fragment without scripts. Notebooks show it by themselves.</summary>
    public string ToHtml() => HtmlTable.Columns(ToString(), ["row", "score, nats", "p-value"],
        Enumerable.Range(0, Scores.Count).OrderByDescending(i => Scores[i]).Take(MostShown).Select(i => ((IReadOnlyList<string>)
        [
            string.Create(CultureInfo.InvariantCulture, $"{i:N0}"),
            string.Create(CultureInfo.InvariantCulture, $"{Scores[i]:F2}"),
            string.Create(CultureInfo.InvariantCulture, $"{PValues[i]:G3}"),
        ], false)), Scores.Count > MostShown ? [$"The {MostShown} rows with the highest scores."] : null);
}
