using System.Globalization;
using SkiaSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>
/// Four views of a 2-D flow side by side, with the same axes: the data, the density of the model, samples of the model, and
/// a grid of the latent space as the flow bends it.
/// </summary>
/// <remarks>The heat map shows the density itself, not its logarithm; its brightest 0.5 % of cells share one colour.</remarks>
public sealed class DensityPanels : Picture
{
    private readonly DensityPanelsOptions options;
    private readonly Parts parts;

    /// <summary>Makes the picture from a density that is known on a grid of cells.</summary>
    /// <param name="data">The data, (N, 2), N at least 1. At most 20,000 points are drawn.</param>
    /// <param name="logDensity">
    /// The log-density, (rows, columns): [0, 0] is the cell at the lower left corner of the box, rows run upwards,
    /// columns to the right, as of <see cref="PlotBox.CellCentres"/>. Negative infinity is a density of 0.
    /// </param>
    /// <param name="samples">Samples of the model, (M, 2), or null for no such panel. Samples that are not finite are left out.</param>
    /// <param name="gridLines">
    /// The warped grid, (lines, points, 2), for example <see cref="PlotBox.GridLines"/> sent through the flow; or null for no such
    /// panel. Points that are not finite leave gaps.
    /// </param>
    /// <param name="options">Box, titles and size; null takes the defaults.</param>
    /// <remarks>Tensors may have any real dtype and be on any device; they are only read.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="data"/> or <paramref name="logDensity"/> is null.</exception>
    /// <exception cref="ArgumentException">A shape is another one, the data or the
    /// density holds NaN or +infinity, or an option is out of range.</exception>
    public DensityPanels(PlotData data, PlotData logDensity, PlotData? samples = null, PlotData? gridLines = null,
        DensityPanelsOptions? options = null)
        : this(data, _ => DensityGrid.Of(logDensity), samples, gridLines, options ?? new()) { }

    /// <summary>Makes the picture from a density that is given as a function of points.</summary>
    /// <param name="data">The data, (N, 2), N at least 1. At most 20,000 points are drawn.</param>
    /// <param name="logDensity">
    /// Gives the log-density, shape (K), of points of shape (K, 2), which have the dtype (float32 if that is an integer, or if the data are
    /// an array) and the device of <paramref name="data"/>. It is called at once, without gradients, with
    /// at most 16,384 points a call; it must not dispose its argument. Its result is disposed here.
    /// </param>
    /// <param name="samples">Samples of the model, (M, 2), or null for no such panel. Samples that are not finite are left out.</param>
    /// <param name="gridLines">Lines such as a warped grid or paths, (lines, points, 2), drawn in
    /// one colour, or null for no such panel. Points that are not finite leave gaps.</param>
    /// <param name="options">Box, titles and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException"><paramref name="data"/> or <paramref name="logDensity"/> is null.</exception>
    /// <exception cref="ArgumentException">A shape is another one, the data or the
    /// density holds NaN or +infinity, or an option is out of range.</exception>
    public DensityPanels(
        PlotData data, Func<Tensor, Tensor> logDensity, PlotData? samples = null, PlotData? gridLines = null,
            DensityPanelsOptions? options = null)
        : this(data, o => DensityGrid.Evaluate(logDensity, data, o), samples, gridLines, options ?? new()) { }

    /// <summary>Makes the picture from the density of a flow, as in <c>new DensityPanels(x, flow.LogProb, flow.Sample(1000))</c>.</summary>
    /// <inheritdoc cref="DensityPanels(PlotData, Func{Tensor, Tensor}, PlotData, PlotData, DensityPanelsOptions)" path="/exception"/>
    /// <param name="data">The data, (N, 2), N at least 1. At most 20,000 points are drawn.</param>
    /// <param name="logDensity"><c>flow.LogProb</c>; points have the dtype and the device of <paramref name="data"/>.</param>
    /// <param name="samples">Samples of the model, (M, 2), or null for no such panel. Samples that are not finite are left out.</param>
    /// <param name="gridLines">Lines such as a warped grid or paths, (lines, points, 2), drawn in
    /// one colour, or null for no such panel. Points that are not finite leave gaps.</param>
    /// <param name="options">Box, titles and size; null takes the defaults.</param>
    /// <param name="context">The one context under which the density is drawn, (1, ...), for a conditional flow.</param>
    public DensityPanels(PlotData data, LogProbFunction logDensity, PlotData? samples = null, PlotData? gridLines = null,
        DensityPanelsOptions? options = null, Tensor? context = null)
        : this(data, o => DensityGrid.Evaluate(logDensity, data, o, context), samples, gridLines, options ?? new()) { }

    /// <summary>Makes the picture from a density of points and contexts,
    /// such as <c>density.LogProb</c> of a <see cref="Density"/>.</summary>
    /// <inheritdoc cref="DensityPanels(PlotData, Func{Tensor, Tensor}, PlotData, PlotData, DensityPanelsOptions)" path="/exception"/>
    /// <param name="data">The data, (N, 2), N at least 1. At most 20,000 points are drawn.</param>
    /// <param name="logDensity">Gives the log-density (K) of points (K, 2) under contexts (K, ...), or null.</param>
    /// <param name="samples">Samples of the model, (M, 2), or null for no such panel. Samples that are not finite are left out.</param>
    /// <param name="gridLines">Lines such as a warped grid or paths, (lines, points, 2), drawn in
    /// one colour, or null for no such panel. Points that are not finite leave gaps.</param>
    /// <param name="options">Box, titles and size; null takes the defaults.</param>
    /// <param name="context">The one context under which the density is drawn, (1, ...), or null.</param>
    public DensityPanels(PlotData data, Func<Tensor, Tensor?, Tensor> logDensity, PlotData? samples = null, PlotData? gridLines = null,
        DensityPanelsOptions? options = null, Tensor? context = null)
        : this(data, o => DensityGrid.Evaluate(logDensity, data, o, context), samples, gridLines, options ?? new()) { }

    /// <summary>Makes all four panels of a flow: as many samples as there are data, and the grid of ±3 in the latent space, upright
    /// lines in one colour and level ones in another.</summary>
    /// <param name="flow">A flow of examples (2); it is only read.</param>
    /// <param name="data">The data, (N, 2), N at least 1. At most 20,000 points, and as many samples, are drawn.</param>
    /// <param name="context">The one context under which density and samples are drawn,
    /// (1, ...), for a conditional flow; the data should be of it too.</param>
    /// <param name="seed">The seed of the samples.</param>
    /// <param name="options">Box, titles and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException"><paramref name="data"/> or <paramref name="flow"/> is null.</exception>
    /// <exception cref="ArgumentException">The flow has other shapes, the data do not fit, or an option is out of range.</exception>
    /// <exception cref="NonFiniteException">A layer gave NaN or infinity; it names the layer.</exception>
    public DensityPanels(Flow flow, PlotData data, PlotData? context = null, long seed = 0, DensityPanelsOptions? options = null)
        : this(FlowPanels.Of(flow, data, context, seed, options ?? new()), Named(flow, options ?? new())) { }

    private DensityPanels(FlowPanels parts, DensityPanelsOptions options)
        : this(Parts.Of(parts.Data, _ => parts.Density, parts.Samples, parts.GridLines, options) with { IsGrid = true }, options) { }

    private DensityPanels(
        PlotData data, Func<DensityPanelsOptions, DensityGrid> density, PlotData? samples, PlotData? gridLines,
            DensityPanelsOptions options)
        : this(Parts.Of(data, density, samples, gridLines, options), options) { }

    private DensityPanels(Parts parts, DensityPanelsOptions options) : base(parts.Layout.Width, parts.Layout.Height) =>
        (this.parts, this.options) = (parts, options);

    private static DensityPanelsOptions Named(Flow flow, DensityPanelsOptions options) => FlowInput.Names(flow) is not [var x, var y]
        ? options : options with { XLabel = options.XLabel ?? x, YLabel = options.YLabel ?? y };

    private protected override string Describe() => Charts.Prefix(options.Title)
        + string.Create(CultureInfo.InvariantCulture,
            $"Panels with the same axes: {parts.Data.Length / 2} points of the data, the density of the model")
        + (parts.Samples is null ? "" : ", samples of the model") + (parts.Lines is null ? ""
            : ", a grid of the latent space as the flow bends it")
        + string.Create(CultureInfo.InvariantCulture,
            $"; x from {options.Box.XMin:G4} to {options.Box.XMax:G4}, y from {options.Box.YMin:G4} to {options.Box.YMax:G4}.");

    private protected override void Draw(SKCanvas canvas)
    {
        using var text = new Text();
        parts.Layout.DrawHead(canvas, text, options.Title);
        var panel = 0;
        Draw(options.DataTitle, plot => Panels.AddPoints(plot, parts.Data, Palette.First));
        Draw(options.DensityTitle, plot => Panels.AddDensity(plot, parts.Density.Cells, options.Box));
        parts.Layout.DrawBar(canvas, text, 1, parts.Density.Highest);
        if (parts.Samples is not null) Draw(options.SamplesTitle, plot => Panels.AddPoints(plot, parts.Samples, Palette.Second));
        if (parts.Lines is not null)
            Draw(options.GridTitle, plot => Panels.AddLines(plot, parts.Lines, parts.PointsPerLine, options.Box, parts.IsGrid));

        void Draw(string title, Action<ScottPlot.Plot> add)
        {
            using var plot = Charts.New(null, null);
            add(plot);
            parts.Layout.Draw(canvas, text, plot, panel++, title, options.XLabel ?? "x1", options.YLabel ?? "x2");
        }
    }

    /// <summary>All that is drawn, and where.</summary>
    private sealed record Parts(
        PanelLayout Layout, double[] Data, DensityGrid Density, double[]? Samples, double[]? Lines, int PointsPerLine)
    {
        /// <summary>Whether the lines are those of a grid, upright and level ones, which have a colour each.</summary>
        public bool IsGrid { get; init; }

        public static Parts Of(PlotData data, Func<DensityPanelsOptions, DensityGrid> density, PlotData? samples, PlotData? gridLines,
            DensityPanelsOptions options)
        {
            var panels = 2 + (samples is null ? 0 : 1) + (gridLines is null ? 0 : 1);
            // the options first, before any work
            PanelLayout.Of(options, panels, null);
            ArgumentNullException.ThrowIfNull(data);
            var points = data.Points(nameof(data));
            Check.Finite(points, nameof(data));
            var drawn = samples?.Points(nameof(samples));
            var (lines, pointsPerLine) = gridLines is null ? (null, 0) : gridLines.Lines(nameof(gridLines));
            var grid = density(options);
            return new(PanelLayout.Of(options, panels, grid.Highest), points, grid, drawn, lines, pointsPerLine);
        }
    }
}
