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
    /// <param name="first">The scores of the first population, (N), N at least 1.</param>
    /// <param name="second">The scores of the second population, shape (M),
    /// M at least 1, any real dtype and device. It is only read.</param>
    /// <param name="options">Texts, bins and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException">One is null.</exception>
    /// <exception cref="ArgumentException">A shape is another one, a score is NaN or infinite, or an option is out of range.</exception>
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

    private protected override string Describe() => Charts.Prefix(options.Title) + string.Create(CultureInfo.InvariantCulture,
        $"Histograms of scores: {first.Length} of {options.FirstLabel}, median {Median(first):G4}; {second.Length} of " +
            $"{options.SecondLabel}, median {Median(second):G4}")
        + (options.Threshold is { } threshold ? string.Create(CultureInfo.InvariantCulture, $"; threshold {threshold:G5}.") : ".");

    private protected override void Draw(SKCanvas canvas)
    {
        using var plot = Charts.New(options.Title, options.XLabel, "share of the population");
        var all = first.Concat(second).ToArray();
        var (low, high) = Range();
        var outside = all.Count(v => v < low || v > high);
        var (bottom, top) = low < high ? (low, high) : RobustRange.Pad(low, high, 0);
        var highest = Math.Max(AddBars(plot, first, bottom, top, options.FirstLabel, Palette.First),
            AddBars(plot, second, bottom, top, options.SecondLabel, Palette.Second));
        if (options.Threshold is { } threshold)
        {
            var line = plot.Add.VerticalLine(threshold, 2, Palette.Ink, LinePattern.Dashed);
            line.LegendText = $"threshold {threshold.ToString("G5", CultureInfo.InvariantCulture)}";
            (bottom, top) = (Math.Min(bottom, threshold), Math.Max(top, threshold));
        }
        if (outside > 0) plot.XLabel($"{options.XLabel}   (beyond the ends, counted in the end bins: {outside})", Charts.TextSize);
        var x = RobustRange.Pad(bottom, top, 0.02);
        plot.Axes.SetLimits(x.Low, x.High, 0, 1.25 * highest);
        plot.ShowLegend(Alignment.UpperRight);
        Charts.Draw(canvas, plot, Width, Height);
    }

    /// <summary>The bulk of both: each population counts, however small it is.</summary>
    private (double Low, double High) Range()
    {
        var (a, b) = (RobustRange.Of(first, Fence), RobustRange.Of(second, Fence));
        var (low, high) = (Math.Min(a.Low, b.Low), Math.Max(a.High, b.High));
        return options.Largest is { } largest ? (Math.Min(low, largest), largest) : (low, high);
    }

    private double AddBars(Plot plot, double[] scores, double low, double high, string label, Color color)
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
        var area = plot.Add.Polygon(outline.ToArray());
        area.FillColor = color.WithAlpha(0.35);
        area.LineColor = color;
        area.LineWidth = 1.5f;
        area.LegendText = $"{label} ({scores.Length.ToString(CultureInfo.InvariantCulture)})";
        return shares.Max();
    }

    private static double Median(double[] scores) => RobustRange.Quantile([.. scores.Order()], 0.5);

    private static double[] Scores(PlotData scores, string name)
    {
        ArgumentNullException.ThrowIfNull(scores, name);
        return scores.Vector(name);
    }
}
