using System.Globalization;
using System.Runtime.CompilerServices;
using ScottPlot;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>
/// How well scores part positive examples, such as anomalies, from the others: for every threshold the share of positives
/// at or above it against the share of negatives, for one or several scores. The legend has the area under each curve.
/// </summary>
/// <remarks>
/// The area is the exact rank statistic of Mann and Whitney: the share of all pairs of a positive and a negative in which the positive has
/// the higher score; a pair of equal scores counts one half. 1 is perfect, 0.5 is chance, and below 0.5 the scores point the wrong way (a
/// log-density ranks typical examples high: give −log p(x) if anomalies are the positives).
/// Equal scores make one straight, slanting piece of the curve.
/// </remarks>
/// <example>
/// <code>
/// var picture = new RocCurve([("flow", flowScores), ("isolation forest", forestScores)], isAnomaly);
/// Console.WriteLine(picture.Series[0].Area);
/// picture.Save("roc.svg");
/// </code>
/// </example>
public sealed class RocCurve : Picture
{
    private const int MaxDrawn = 3000;

    private readonly RocCurveOptions options;
    private readonly int positives, negatives;

    /// <summary>Makes the picture of one score.</summary>
    /// <param name="scores">(N): the higher, the more the example looks like a positive. Infinite scores are allowed, NaN is not.</param>
    /// <param name="labels">(N): 1 or true for a positive example, 0 or false for a negative one; at least one of each.</param>
    /// <param name="name">The name of the score in the legend.</param>
    /// <param name="options">Texts and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException">Scores or labels are null.</exception>
    /// <exception cref="ArgumentException">
    /// The lengths differ, a score is NaN, a label is neither 0 nor 1, all labels are equal, or an option is out of range.
    /// </exception>
    public RocCurve(PlotData scores, PlotData labels, string name = "scores", RocCurveOptions? options = null)
        : this([(name, scores)], labels, options) { }

    /// <summary>Makes the picture of −log p(x) of a flow as a score of
    /// anomalies: examples of low density are taken for positives.</summary>
    /// <param name="flow">The flow; it is only read.</param>
    /// <param name="x">(N, ...), the examples, N at least 2.</param>
    /// <param name="labels">(N): 1 or true for an anomaly, 0 or false for an ordinary example; at least one of each.</param>
    /// <param name="context">(N, ...), the contexts of the examples, for a conditional flow.</param>
    /// <param name="options">Texts and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException">The flow, x or labels are null.</exception>
    /// <exception cref="ArgumentException">Rows or contexts do not fit the flow, or as for scores.</exception>
    public RocCurve(Flow flow, PlotData x, PlotData labels, PlotData? context = null, RocCurveOptions? options = null)
        : this([("−log p(x)", FlowInput.Scores(flow, x, context, nameof(x)))], labels, options) { }

    /// <summary>Makes the picture of several scores of the same examples.</summary>
    /// <param name="scores">A name and (N) scores for each curve, at least one and at most 20.</param>
    /// <param name="labels">(N): 1 or true for a positive example, 0 or false for a negative one; at least one of each.</param>
    /// <param name="options">Texts and size; null takes the defaults.</param>
    /// <inheritdoc cref="RocCurve(PlotData, PlotData, string, RocCurveOptions)" path="/exception"/>
    // brackets without an entry fit both
    [OverloadResolutionPriority(1)]
    public RocCurve(IEnumerable<(string Name, PlotData Scores)> scores, PlotData labels, RocCurveOptions? options = null)
        : base((options ??= new()).Width, options.Height)
    {
        ArgumentNullException.ThrowIfNull(scores);
        ArgumentNullException.ThrowIfNull(labels);
        Check.ChartSize(options.Width, options.Height);
        this.options = options;
        var isPositive = Labels(labels);
        positives = isPositive.Count(p => p);
        negatives = isPositive.Length - positives;
        if (positives == 0 || negatives == 0)
            throw new ArgumentException(
                $"labels holds {positives} of 1 and {negatives} of 0; expected at least one of each, since the curve compares them.",
                    nameof(labels));
        Series = [.. scores.Select(s => Of(s.Name, s.Scores, isPositive))];
        if (Series.Count is < 1 or > 20)
            throw new ArgumentException($"scores holds {Series.Count} scores; expected 1 to 20.", nameof(scores));
    }

    /// <summary>The curves with their areas, in the order in which they were given.</summary>
    public IReadOnlyList<RocSeries> Series { get; }

    private protected override void Draw(SKCanvas canvas)
    {
        using var plot = Charts.New("false positive rate", "true positive rate");
        var legend = new Legend();
        Charts.AddLine(plot, [new(0, 0), new(1, 1)], Palette.Frame, 1.5f, Palette.Dotted);
        for (var i = 0; i < Series.Count; i++)
        {
            var (color, dashes) = Palette.Series(i);
            Charts.AddLine(plot, Drawn(Series[i].Points), color, 2.4f, dashes);
            legend.Line(string.Create(CultureInfo.InvariantCulture, $"{Series[i].Name}: AUC {Series[i].Area:F3}"), color, dashes);
        }
        legend.Line("chance: AUC 0.5", Palette.Frame, Palette.Dotted, 1.8f);
        plot.Axes.SetLimits(-0.015, 1.015, -0.015, 1.015);
        Charts.Draw(canvas, plot, Width, Height, options.Title, legend);
    }

    private protected override string Describe() => string.Create(CultureInfo.InvariantCulture,
        $"{Charts.Prefix(options.Title)}ROC curves of {positives} positive and {negatives} negative examples. Area under the curve: ")
        + string.Join(", ", Series.Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Name} {s.Area:F3}"))) + ".";

    private static bool[] Labels(PlotData labels)
    {
        var numbers = labels.Vector(nameof(labels));
        var wrong = Array.FindIndex(numbers, n => n is not (0 or 1));
        if (wrong >= 0)
            throw new ArgumentException(
                string.Create(CultureInfo.InvariantCulture,
                    $"labels holds {numbers[wrong]} at index {wrong}; expected 1 for a positive example and 0 for a negative one."),
                        nameof(labels));
        return Array.ConvertAll(numbers, n => n == 1);
    }

    private static RocSeries Of(string name, PlotData scores, bool[] isPositive)
    {
        if (string.IsNullOrWhiteSpace(name))
            throw new ArgumentException("A score has no name; expected a name for the legend.", nameof(scores));
        if (scores is null) throw new ArgumentNullException(nameof(scores), $"The scores '{name}' are null.");
        var numbers = scores.Vector(name, infinite: true);
        if (numbers.Length != isPositive.Length)
            throw new ArgumentException(
                $"'{name}' has {numbers.Length} scores, but there are {isPositive.Length} labels; expected one of each for every example.",
                nameof(scores));
        return RocSeries.Of(name, numbers, isPositive);
    }

    /// <summary>Corners alone, and where they are still very many, some of them evenly.</summary>
    private static Coordinates[] Drawn(IReadOnlyList<(double X, double Y)> points)
    {
        List<Coordinates> corners = [];
        for (var i = 0; i < points.Count; i++)
        {
            var isCorner = i == 0 || i == points.Count - 1
                || !((points[i - 1].X == points[i].X && points[i].X == points[i + 1].X)
                    || (points[i - 1].Y == points[i].Y && points[i].Y == points[i + 1].Y));
            if (isCorner) corners.Add(new(points[i].X, points[i].Y));
        }
        if (corners.Count <= MaxDrawn) return [.. corners];
        return [.. Enumerable.Range(0, MaxDrawn).Select(i => corners[(int)((long)i * (corners.Count - 1) / (MaxDrawn - 1))])];
    }
}
