using System.Globalization;
using ScottPlot;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>
/// All pairs of features, of samples beside data: below the diagonal points of the data
/// and contours of both, on the diagonal the distribution of each feature alone.
/// </summary>
/// <remarks>
/// A contour holds half, and nine tenths, of the rows: it is drawn around the densest part of a
/// smoothed histogram, and only if at least 50 rows spread in both directions. Axes show the bulk
/// of both; a note says how many rows lie beyond them. Up to 1,500 points are drawn in a panel.
/// </remarks>
/// <example>
/// <code>
/// new CornerPlot(table, flow.SampleArray(5000, seed: 0), new() { FeatureNames = ["length", "width"] }).Save("corner.png");
/// </code>
/// </example>
public sealed class CornerPlot : Picture
{
    private readonly CornerPlotOptions options;
    private readonly CornerLayout layout;
    private readonly CornerRows data;
    private readonly CornerRows? samples;
    private readonly string[] names;
    private readonly string? note;

    /// <summary>Makes the picture of data, or of samples beside data.</summary>
    /// <param name="data">(N, D), N and D at least 1, or (N) for one feature; all finite.</param>
    /// <param name="samples">(M, D), samples of a model, or null. Rows that are not finite are left out and counted in the note.</param>
    /// <param name="options">Names, features and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException"><paramref name="data"/> is null.</exception>
    /// <exception cref="ArgumentException">
    /// A shape is another one, the numbers of features differ, the data hold
    /// NaN or infinity, no sample is finite, or an option is out of range.
    /// </exception>
    public CornerPlot(PlotData data, PlotData? samples = null, CornerPlotOptions? options = null)
        : this(CornerRows.Of(data, samples, options ??= new()), options) { }

    private CornerPlot((CornerRows Data, CornerRows? Samples, string[] Names, int All) rows, CornerPlotOptions options)
        : this(rows.Data, rows.Samples, rows.Names, rows.All, options, CornerLayout.Of(rows.Names.Length, options)) { }

    private CornerPlot(CornerRows data, CornerRows? samples, string[] names, int all, CornerPlotOptions options, CornerLayout layout)
        : base(layout.Width, layout.Height)
    {
        (this.data, this.samples, this.names, this.options, this.layout) = (data, samples, names, options, layout);
        Ranges = [.. Enumerable.Range(0, names.Length).Select(f => RangeOf(f))];
        List<string> lines = [];
        if (all > names.Length && options.Features is null)
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"the first {names.Length} of {all} features"));
        var beyond = data.CountBeyond(Ranges) + (samples?.CountBeyond(Ranges) ?? 0);
        if (beyond > 0)
            lines.Add(string.Create(CultureInfo.InvariantCulture,
                $"beyond the axes: {beyond} of {data.Count + (samples?.Count ?? 0)} rows"));
        if (samples is { NotFinite: > 0 })
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"left out: {samples.NotFinite} samples that are not finite"));
        note = lines.Count == 0 ? null : string.Join("; ", lines);
    }

    /// <summary>What the axis of each feature that is shown goes from and to.</summary>
    public IReadOnlyList<(double Low, double High)> Ranges { get; }

    private protected override void Draw(SKCanvas canvas)
    {
        using var text = new Text();
        layout.DrawTexts(canvas, text, options, data.Count, samples?.Count, note);
        for (var row = 0; row < names.Length; row++)
            for (var column = 0; column <= row; column++)
            {
                using var plot = layout.NewPanel(row, column, names);
                if (row == column) CornerPanels.AddMarginals(plot, data, samples, row, Ranges[row], options.Bins);
                else CornerPanels.AddPair(plot, data, samples, column, row, Ranges[column], Ranges[row], layout.PointsPerPanel);
                layout.Draw(canvas, plot, row, column);
            }
    }

    private protected override string Describe() => Charts.Prefix(options.Title) + string.Create(CultureInfo.InvariantCulture,
        $"Corner plot of {string.Join(", ", names)}: {data.Count} rows of {options.DataLabel}")
        + (samples is null ? "." : string.Create(CultureInfo.InvariantCulture, $" beside {samples.Count} of {options.SamplesLabel}."))
        + (note is null ? "" : $" Note: {note}.");

    // of each by itself: few rows count as much as many
    private (double Low, double High) RangeOf(int feature)
    {
        const double Fence = 3;
        var (low, high) = RobustRange.Of(data.Columns[feature], Fence);
        if (samples is not null)
        {
            var other = RobustRange.Of(samples.Columns[feature], Fence);
            (low, high) = (Math.Min(low, other.Low), Math.Max(high, other.High));
        }
        return RobustRange.Pad(low, high, 0.04);
    }
}
