using System.Globalization;
using ScottPlot;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>The loss of a training, and of its validation, against the epoch or the step; the best value is marked.</summary>
/// <remarks>
/// A value that is NaN or infinite leaves a gap. The y axis shows the bulk of the values: where a few lie far away, as at
/// the start of a training, they are cut off and a note in the picture says how many.
/// </remarks>
public sealed class TrainingCurve : Picture
{
    // wide, so that the steep start of an ordinary training stays in the picture
    private const double Fence = 10;

    private readonly (double X, double Y)[] training, validation;
    private readonly TrainingCurveOptions options;
    private readonly string yLabel;

    /// <summary>Makes the picture of one value for each epoch; the first value is epoch 1.</summary>
    /// <param name="training">The training values.</param>
    /// <param name="validation">The validation values, or null.</param>
    /// <param name="options">Texts and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException"><paramref name="training"/> is null.</exception>
    /// <exception cref="ArgumentException">No value is finite, or the size is out of range.</exception>
    public TrainingCurve(IReadOnlyList<double> training, IReadOnlyList<double>? validation = null, TrainingCurveOptions? options = null)
        : this(Numbered(training), validation is null ? null : Numbered(validation), options) { }

    /// <summary>Makes the picture of a training: the loss of each epoch, and
    /// that of the rows that were held out, if there were any.</summary>
    /// <param name="result">What <see cref="Trainer.Fit"/> gave, or the <see cref="FitReport.Result"/> of a fitted model.</param>
    /// <param name="options">Texts and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException"><paramref name="result"/> is null.</exception>
    /// <exception cref="ArgumentException">No value is finite, or the size is out of range.</exception>
    public TrainingCurve(TrainingResult result, TrainingCurveOptions? options = null)
        : this((result ?? throw new ArgumentNullException(nameof(result))).History.Select(e => ((double)e.Epoch, e.Loss)),
            result.History.Where(e => e.ValidationLoss is not null).Select(e => ((double)e.Epoch, e.ValidationLoss!.Value)),
            (options ?? new()) with { YLabel = options?.YLabel ?? LabelOf(result) }) { }

    /// <summary>Makes the picture of two series that each have their own x, such as steps and epochs.</summary>
    /// <param name="training">The training values: x is the epoch or the step, y the value. Any order; they are sorted by x.</param>
    /// <param name="validation">The validation values, or null.</param>
    /// <param name="options">Texts and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException"><paramref name="training"/> is null.</exception>
    /// <exception cref="ArgumentException">No value is finite, an x is NaN or infinite, or the size is out of range.</exception>
    public TrainingCurve(IEnumerable<(double X, double Y)> training, IEnumerable<(double X, double Y)>? validation = null,
        TrainingCurveOptions? options = null)
        : base((options ??= new()).Width, options.Height)
    {
        ArgumentNullException.ThrowIfNull(training);
        Check.ChartSize(options.Width, options.Height);
        (this.options, yLabel) = (options, options.YLabel ?? "loss");
        this.training = Sorted(training, nameof(training));
        this.validation = Sorted(validation ?? [], nameof(validation));
        if (!this.training.Concat(this.validation).Any(p => double.IsFinite(p.Y)))
            throw new ArgumentException(
                $"None of the {this.training.Length} training and {this.validation.Length} validation values is finite; expected at " +
                    $"least one number to draw.", nameof(training));
        (BestX, BestY) = Best();
    }

    /// <summary>The x of the best value: of the validation where it has a
    /// finite value, else of the training. The first of equal ones.</summary>
    public double BestX { get; }

    /// <summary>The best value: the lowest, or the highest where <see cref="TrainingCurveOptions.LowerIsBetter"/> is false.</summary>
    public double BestY { get; }

    private protected override string Describe() => Charts.Prefix(options.Title) + string.Create(CultureInfo.InvariantCulture,
        $"{yLabel} against {options.XLabel}: {training.Length} values of {options.TrainingLabel}")
        + (validation.Length == 0 ? ""
            : string.Create(CultureInfo.InvariantCulture, $" and {validation.Length} of {options.ValidationLabel}"))
        + string.Create(CultureInfo.InvariantCulture, $"; the best is {BestY:G5} at {options.XLabel} {BestX:G6}.");

    private protected override void Draw(SKCanvas canvas)
    {
        using var plot = Charts.New(options.XLabel, yLabel);
        var legend = new Legend();
        AddSeries(plot, legend, training, options.TrainingLabel, Palette.First, null);
        if (validation.Length > 0) AddSeries(plot, legend, validation, options.ValidationLabel, Palette.Second, Palette.Dashed);
        var best = plot.Add.Marker(BestX, BestY, MarkerShape.OpenCircle, 13, Palette.Ink);
        best.MarkerLineWidth = 2.2f;
        legend.Ring($"best: {NumberText.Of(BestY)} at {options.XLabel} {NumberText.Of(BestX, 7)}", Palette.Ink);
        SetLimits(plot);
        Charts.Draw(canvas, plot, Width, Height, options.Title, legend, training.Concat(validation).All(p => p.X == Math.Floor(p.X)));
    }

    private static void AddSeries(Plot plot, Legend legend, (double X, double Y)[] points, string label, Color color, float[]? dashes)
    {
        var runs = FiniteRuns(points).Select(run => run.Select(p => new Coordinates(p.X, p.Y)).ToArray()).ToArray();
        Charts.AddLines(plot, runs, color, 2.2f, dashes);
        // a point without neighbours has no line, so it needs a mark to be seen
        Coordinates[] marked = [.. runs.Where(run => run.Length == 1 || points.Length <= 60).SelectMany(run => run)];
        plot.Add.Plottable(new Dots(marked, color, points.Length <= 20 ? 7 : 5));
        legend.Line(label, color, dashes);
    }

    private static IEnumerable<List<(double X, double Y)>> FiniteRuns((double X, double Y)[] points)
    {
        List<(double, double)> run = [];
        foreach (var point in points)
        {
            if (double.IsFinite(point.Y)) run.Add(point);
            else if (run.Count > 0)
            {
                yield return run;
                run = [];
            }
        }
        if (run.Count > 0) yield return run;
    }

    private void SetLimits(Plot plot)
    {
        var all = training.Concat(validation).Where(p => double.IsFinite(p.Y)).ToArray();
        var (low, high) = RobustRange.Of([.. all.Select(p => p.Y)], Fence);
        (low, high) = (Math.Min(low, BestY), Math.Max(high, BestY));
        AddNote(plot, all, low, high);
        var (left, right) = (all.Min(p => p.X), all.Max(p => p.X));
        (left, right) = RobustRange.Pad(left, right, 0.03);
        (low, high) = RobustRange.Pad(low, high, 0.08);
        plot.Axes.SetLimits(left, right, low, high);
    }

    /// <summary>Says how many values the y axis leaves out, where the curves usually are not.</summary>
    private void AddNote(Plot plot, (double X, double Y)[] points, double low, double high)
    {
        List<string> lines = [];
        if (points.Count(p => p.Y > high) is > 0 and var above)
            lines.Add($"not shown: {above} above, up to {NumberText.Of(points.Max(p => p.Y))}");
        if (points.Count(p => p.Y < low) is > 0 and var below)
            lines.Add($"not shown: {below} below, down to {NumberText.Of(points.Min(p => p.Y))}");
        if (lines.Count == 0) return;
        var note = plot.Add.Annotation(string.Join("\n", lines), options.LowerIsBetter ? Alignment.LowerLeft : Alignment.UpperLeft);
        note.LabelStyle.FontSize = Charts.TickSize;
        note.LabelStyle.BackgroundColor = Colors.White.WithAlpha(0.85);
        note.LabelStyle.BorderColor = note.LabelStyle.ShadowColor = Colors.Transparent;
        Charts.Style(note.LabelStyle);
    }

    private (double X, double Y) Best()
    {
        var points = validation.Any(p => double.IsFinite(p.Y)) ? validation : training;
        var finite = points.Where(p => double.IsFinite(p.Y));
        return options.LowerIsBetter ? finite.MinBy(p => p.Y) : finite.MaxBy(p => p.Y);
    }

    private static (double X, double Y)[] Sorted(IEnumerable<(double X, double Y)> points, string name)
    {
        var sorted = points.OrderBy(p => p.X).ToArray();
        foreach (var (x, y) in sorted)
            if (!double.IsFinite(x))
                throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                    $"{name} holds the point ({x}, {y}); expected a finite x."), name);
        return sorted;
    }

    private static string LabelOf(TrainingResult result) => result.Objective == Objective.MaximumLikelihood.Name
        ? "−log p(x), nats an example" : $"loss: {result.Objective}";

    private static IEnumerable<(double X, double Y)> Numbered(IReadOnlyList<double> values)
    {
        ArgumentNullException.ThrowIfNull(values, "training");
        return values.Select((y, i) => (i + 1.0, y));
    }
}
