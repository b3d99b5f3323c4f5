using System.Globalization;
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
/// new CornerPlot(flow, table, options: new() { Names = ["length", "width"] }).Save("corner.png");
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

    /// <summary>Makes the picture of a flow beside data: as many samples as there are rows of data, up to 20,000.</summary>
    /// <param name="flow">The flow; it is only read.</param>
    /// <param name="data">(N, D), N at least 1; all finite.</param>
    /// <param name="context">(N, ...), the context of each row of data, for a conditional flow: each gets one sample.</param>
    /// <param name="seed">The seed of the samples.</param>
    /// <param name="options">Names, features and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException">The flow or the data are null.</exception>
    /// <exception cref="ArgumentException">Rows or contexts do not fit the flow, or as for data and samples.</exception>
    public CornerPlot(Flow flow, PlotData data, PlotData? context = null, long seed = 0, CornerPlotOptions? options = null)
        : this(data, CornerRows.Samples(flow, data, context, seed),
            (options ?? new()) with { Names = options?.Names ?? FlowInput.Names(flow) }) { }

    private CornerPlot((CornerRows Data, CornerRows? Samples, string[] Names, int All) rows, CornerPlotOptions options)
        : this(rows, RangesOf(rows.Data, rows.Samples), options) { }

    private CornerPlot((CornerRows Data, CornerRows? Samples, string[] Names, int All) rows, (double Low, double High)[] ranges,
        CornerPlotOptions options)
        : this(rows.Data, rows.Samples, rows.Names, ranges, NoteOf(rows.Data, rows.Samples, rows.Names.Length, rows.All, ranges, options),
            options) { }

    private CornerPlot(CornerRows data, CornerRows? samples, string[] names, (double Low, double High)[] ranges, string? note,
        CornerPlotOptions options)
        : this(CornerLayout.Of(ranges, options, note is not null)) =>
        (this.data, this.samples, this.names, Ranges, this.note, this.options) = (data, samples, names, ranges, note, options);

#pragma warning disable CS8618 // the caller sets the rest
    private CornerPlot(CornerLayout layout) : base(layout.Width, layout.Height) => this.layout = layout;
#pragma warning restore CS8618

    /// <summary>What the axis of each feature that is shown goes from and to.</summary>
    public IReadOnlyList<(double Low, double High)> Ranges { get; }

    private protected override void Draw(SKCanvas canvas)
    {
        using var text = new Text();
        var contours = false;
        for (var row = 0; row < names.Length; row++)
            for (var column = 0; column <= row; column++)
            {
                using var plot = Charts.New(null, null);
                if (row == column) CornerPanels.AddMarginals(plot, data, samples, row, Ranges[row], options.Bins);
                else
                    contours |= CornerPanels.AddPair(plot, data, samples, column, row, Ranges[column], Ranges[row], layout.PointsPerPanel);
                layout.Draw(canvas, text, plot, row, column);
            }
        layout.DrawTexts(canvas, text, options, names, data.Count, samples?.Count, contours, note);
    }

    private protected override string Describe() => Charts.Prefix(options.Title) + string.Create(CultureInfo.InvariantCulture,
        $"Corner plot of {string.Join(", ", names)}: {data.Count} rows of {options.DataLabel}")
        + (samples is null ? "." : string.Create(CultureInfo.InvariantCulture, $" beside {samples.Count} of {options.SamplesLabel}."))
        + (note is null ? "" : $" Note: {note}.");

    private static string? NoteOf(CornerRows data, CornerRows? samples, int shown, int all, (double Low, double High)[] ranges,
        CornerPlotOptions options)
    {
        List<string> lines = [];
        if (all > shown && options.Features is null)
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"the first {shown} of {all} features"));
        var beyond = data.CountBeyond(ranges) + (samples?.CountBeyond(ranges) ?? 0);
        if (beyond > 0)
            lines.Add(string.Create(CultureInfo.InvariantCulture,
                $"beyond the axes: {beyond} of {data.Count + (samples?.Count ?? 0)} rows"));
        if (samples is { NotFinite: > 0 })
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"left out: {samples.NotFinite} samples that are not finite"));
        return lines.Count == 0 ? null : string.Join("; ", lines);
    }

    private static (double Low, double High)[] RangesOf(CornerRows data, CornerRows? samples) =>
        [.. data.Columns.Select((column, f) => RangeOf(column, samples?.Columns[f]))];

    // of each by itself: few rows count as much as many
    private static (double Low, double High) RangeOf(double[] data, double[]? samples)
    {
        const double Fence = 3;
        var (low, high) = RobustRange.Of(data, Fence);
        if (samples is not null)
        {
            var other = RobustRange.Of(samples, Fence);
            (low, high) = (Math.Min(low, other.Low), Math.Max(high, other.High));
        }
        return RobustRange.Pad(low, high, 0.04);
    }
}
