using System.Globalization;
using SkiaSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>
/// Where a flow goes wrong: for each layer, from data at the top to latents at the bottom, the log-determinants of rows and the values that
/// the layer gave. A dot is the mean, a bar one standard deviation to both sides, a thin line goes from the smallest to the largest.
/// </summary>
/// <remarks>
/// Values that grow from layer to layer, one layer with nearly all of the log-determinant, and layers that do nothing are seen at
/// once; numbers that are NaN or infinite are counted in red. An axis is linear up to where most of it would be empty, then x is
/// drawn at sign(x)·log₁₀(1 + |x|). Layers that only apply others are left out; of more than 100 layers the first 100 are drawn.
/// </remarks>
/// <example>
/// <code>
/// new LayerPlot(flow, x).Save("layers.png");
/// </code>
/// </example>
public sealed class LayerPlot : Picture
{
    private const int MaxLayers = 100;

    private readonly LayerPlotOptions options;
    private readonly LayerRowsDrawing drawing;

    /// <summary>Takes rows through a flow and makes the picture of it.</summary>
    /// <param name="flow">The flow, which may give NaN or infinity; it is only read, in evaluation mode.</param>
    /// <param name="x">(N, ...) rows, some hundred tell enough; all finite.</param>
    /// <param name="context">(N, ...), the contexts of these rows, for a conditional flow.</param>
    /// <param name="options">Title and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException">The flow or x is null.</exception>
    /// <exception cref="ArgumentException">Rows or contexts do not fit the flow, or an option is out of range.</exception>
    /// <exception cref="NonFiniteException">A weight is not finite, so that no layer has run.</exception>
    public LayerPlot(Flow flow, PlotData x, PlotData? context = null, LayerPlotOptions? options = null)
        : this(Measured(flow, x, context, options ?? new()), options) { }

    /// <summary>Makes the picture of statistics that are known, as of <see cref="Flow.MeasureLayers"/>.</summary>
    /// <param name="statistics">One for each layer, at least one that is no composite.</param>
    /// <param name="options">Title and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException"><paramref name="statistics"/> is null.</exception>
    /// <exception cref="ArgumentException">There is no layer, or an option is out of range.</exception>
    public LayerPlot(IReadOnlyList<LayerStatistics> statistics, LayerPlotOptions? options = null)
        : this(Shown(statistics), statistics.Count(s => !s.IsComposite), options ?? new()) { }

    private LayerPlot(IReadOnlyList<LayerStatistics> layers, int all, LayerPlotOptions options)
        : base(CheckedWidth(options), LayerRowsDrawing.HeightOf(layers.Count, options))
    {
        (Layers, this.options) = (layers, options);
        drawing = new LayerRowsDrawing(layers, options, Width,
            all > layers.Count ? string.Create(CultureInfo.InvariantCulture, $"the first {layers.Count} of {all} layers") : null);
    }

    /// <summary>The layers that are drawn, from data to latents.</summary>
    public IReadOnlyList<LayerStatistics> Layers { get; }

    private protected override void Draw(SKCanvas canvas) => drawing.Draw(canvas);

    private protected override string Describe()
    {
        var bad = Layers.FirstOrDefault(l => l.LogDet is { NotFinite: > 0 } || l.Output is { NotFinite: > 0 });
        var largest = Layers.Where(l => l.LogDet is { Count: > 0 }).MaxBy(l => Math.Abs(l.LogDet!.Mean));
        return Charts.Prefix(options.Title) + string.Create(CultureInfo.InvariantCulture,
            $"Log-determinants and values of {Layers.Count} layers, from data to latents")
            + (largest is null ? "" : string.Create(CultureInfo.InvariantCulture,
                $"; {largest.Path} ({largest.Type}) has the largest mean log-determinant, {largest.LogDet!.Mean:G4} nats"))
            + (bad is null ? "; all numbers are finite." : $"; the first layer with NaN or infinity is {bad.Path} ({bad.Type}).");
    }

    private static IReadOnlyList<LayerStatistics> Measured(Flow flow, PlotData x, PlotData? context, LayerPlotOptions options)
    {
        CheckedWidth(options);
        using var scope = NewDisposeScope();
        var rows = FlowInput.Rows(flow, x, nameof(x));
        return flow.MeasureLayers(rows, FlowInput.Contexts(flow, context, rows.size(0)));
    }

    private static List<LayerStatistics> Shown(IReadOnlyList<LayerStatistics> statistics)
    {
        ArgumentNullException.ThrowIfNull(statistics);
        List<LayerStatistics> layers = [.. statistics.Where(s => !s.IsComposite).Take(MaxLayers)];
        if (layers.Count == 0)
            throw new ArgumentException("statistics holds no layer; expected at least one that is no composite.", nameof(statistics));
        return layers;
    }

    private static int CheckedWidth(LayerPlotOptions options) => options.Width is >= 500 and <= 4000 ? options.Width
        : throw new ArgumentException($"Width is {options.Width}; expected 500 to 4000.", nameof(options));
}
