using System.Globalization;
using ScottPlot;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>The histograms of two populations of scores on one axis, such as those of normal and of anomalous examples.</summary>
/// <remarks>
/// The y axis is the share of each population in a bin, so a small population is as visible as a large one.
/// Both share their bins. Scores far outside the bulk are counted in the first or the last bin, and a note says how many.
/// </remarks>
public sealed class ScoreHistogram : Picture
{
    private const double Fence = 4;

    private readonly double[] first, second;
    private readonly ScoreHistogramOptions options;

    /// <summary>Makes the picture of two populations.</summary>
    /// <param name="first">The scores of the first population, (N), N at least 1. Infinite ones are counted in the end bins.</param>
    /// <param name="second">The scores of the second population, (M), M at least 1.</param>
    /// <param name="options">Texts, bins and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException">One is null.</exception>
    /// <exception cref="ArgumentException">A shape is another one, a score is NaN, all scores of
    /// a population are infinite, or an option is out of range.</exception>
    public ScoreHistogram(PlotData first, PlotData second, ScoreHistogramOptions? options = null)
        : base((options ??= new()).Width, options.Height)
    {
        Check.ChartSize(options.Width, options.Height);
        if (options.Bins is < 1 or > 1000) throw new ArgumentException($"Bins is {options.Bins}; expected 1 to 1000.", nameof(options));
        if (options.Threshold is { } t && !double.IsFinite(t))
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"Threshold is {t}; expected a finite number."),
                nameof(options));
        if (options.Largest is { } m && !double.IsFinite(m))
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"Largest is {m}; expected a finite number."),
                nameof(options));
        this.options = options;
        this.first = Scores(first, nameof(first));
        this.second = Scores(second, nameof(second));
    }

    /// <summary>Makes the picture of −log p(x) of a flow for two populations, such as ordinary examples and anomalies.</summary>
    /// <param name="flow">The flow; it is only read.</param>
    /// <param name="first">(N, ...), the examples of the first population, N at least 1.</param>
    /// <param name="second">(M, ...), those of the second population, M at least 1.</param>
    /// <param name="options">Texts, bins and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException">The flow or a population is null.</exception>
    /// <exception cref="ArgumentException">Rows do not fit the flow, or as for scores. For a
    /// conditional flow, give scores: <c>flow.LogProb(x, context)</c>, negated.</exception>
    public ScoreHistogram(Flow flow, PlotData first, PlotData second, ScoreHistogramOptions? options = null)
        : this(FlowInput.Scores(flow, first, null, nameof(first)), FlowInput.Scores(flow, second, null, nameof(second)), options) { }

    private protected override string Describe() => Charts.Prefix(options.Title) + string.Create(CultureInfo.InvariantCulture,
        $"Histograms of scores: {first.Length} of {options.FirstLabel}, median {Median(first):G4}; {second.Length} of " +
            $"{options.SecondLabel}, median {Median(second):G4}")
        + (options.Threshold is { } threshold ? string.Create(CultureInfo.InvariantCulture, $"; threshold {threshold:G5}.") : ".");

    private protected override void Draw(SKCanvas canvas)
    {
        var (low, high) = Range();
        var outside = first.Concat(second).Count(v => v < low || v > high);
        var label = outside == 0 ? options.XLabel
            : string.Create(CultureInfo.InvariantCulture, $"{options.XLabel}   (beyond the ends, counted in the end bins: {outside})");
        using var plot = Charts.New(label, "share of the population");
        var legend = new Legend();
        var (bottom, top) = low < high ? (low, high) : RobustRange.Pad(low, high, 0);
        var highest = Math.Max(AddBars(plot, legend, first, bottom, top, options.FirstLabel, Palette.First, null),
            AddBars(plot, legend, second, bottom, top, options.SecondLabel, Palette.Second, Palette.Dashed));
        if (options.Threshold is { } threshold)
        {
            Charts.AddLine(plot, [new(threshold, 0), new(threshold, 2)], Palette.Ink, 2, Palette.Dotted);
            legend.Line($"threshold {NumberText.Of(threshold)}", Palette.Ink, Palette.Dotted, 2);
            (bottom, top) = (Math.Min(bottom, threshold), Math.Max(top, threshold));
        }
        var x = RobustRange.Pad(bottom, top, 0.02);
        plot.Axes.SetLimits(x.Low, x.High, 0, 1.08 * highest);
        Charts.Draw(canvas, plot, Width, Height, options.Title, legend);
    }

    /// <summary>The bulk of both: each population counts, however small it is.</summary>
    private (double Low, double High) Range()
    {
        var (a, b) = (RobustRange.Of([.. first.Where(double.IsFinite)], Fence), RobustRange.Of([.. second.Where(double.IsFinite)], Fence));
        var (low, high) = (Math.Min(a.Low, b.Low), Math.Max(a.High, b.High));
        return options.Largest is { } largest ? (Math.Min(low, largest), largest) : (low, high);
    }

    private double AddBars(
        Plot plot, Legend legend, double[] scores, double low, double high, string label, Color color, float[]? dashes)
    {
        var width = (high - low) / options.Bins;
        var shares = new double[options.Bins];
        foreach (var score in scores) shares[(int)Math.Clamp((score - low) / width, 0, options.Bins - 1)] += 1.0 / scores.Length;
        // one outline for the whole population: neighbouring bars would show seams
        List<Coordinates> outline = [new(low, 0)];
        for (var bin = 0; bin < shares.Length; bin++)
        {
            outline.Add(new(low + bin * width, shares[bin]));
            outline.Add(new(low + (bin + 1) * width, shares[bin]));
        }
        outline.Add(new(high, 0));
        Charts.AddArea(plot, outline, color.WithAlpha(0.35), color, dashes);
        legend.Area($"{label} ({scores.Length.ToString(CultureInfo.InvariantCulture)})", color.WithAlpha(0.35), color, dashes);
        return shares.Max();
    }

    private static double Median(double[] scores) => RobustRange.Quantile([.. scores.Order()], 0.5);

    private static double[] Scores(PlotData scores, string name)
    {
        ArgumentNullException.ThrowIfNull(scores, name);
        var numbers = scores.Vector(name, infinite: true);
        if (!numbers.Any(double.IsFinite))
            throw new ArgumentException(
                $"None of the {numbers.Length} scores of {name} is finite; expected at least one number to draw.", name);
        return numbers;
    }
}
