using System.Globalization;
using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>
/// Four views of a 2-D flow side by side, with the same axes: the data, the density of the model, samples of the model, and
/// a grid of the latent space as the flow bends it.
/// </summary>
/// <remarks>The heat map shows the density itself, not its logarithm; its brightest 0.5 % of cells share one colour.</remarks>
public sealed class DensityPanels : Picture
{
    private readonly PanelLayout layout;
    private readonly DensityPanelsOptions options;
    private readonly double[] data;
    private readonly double[]? samples, lines;
    private readonly double[,] density;
    private readonly int pointsPerLine;

    /// <summary>Makes the picture from a density that is known on a grid of cells.</summary>
    /// <param name="data">The data, shape (N, 2), N at least 1. At most 20,000 points are drawn.</param>
    /// <param name="logDensity">
    /// The log-density, shape (rows, columns): [0, 0] is the cell at the lower left corner of the box, rows run upwards,
    /// columns to the right, as of <see cref="PlotBox.CellCentres"/>. Negative infinity is a density of 0.
    /// </param>
    /// <param name="samples">Samples of the model, shape (M, 2), or null
    /// for no such panel. Samples that are not finite are left out.</param>
    /// <param name="gridLines">
    /// The warped grid, shape (lines, points, 2), for example <see cref="PlotBox.GridLines"/> sent through the flow; or null for no such
    /// panel. Points that are not finite leave gaps.
    /// </param>
    /// <param name="options">Box, titles and size; null takes the defaults.</param>
    /// <remarks>All tensors: any real dtype, any device; they are only read.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="data"/> or <paramref name="logDensity"/> is null.</exception>
    /// <exception cref="ArgumentException">A shape is another one, the data or the
    /// density holds NaN or +infinity, or an option is out of range.</exception>
    public DensityPanels(Tensor data, Tensor logDensity, Tensor? samples = null, Tensor? gridLines = null,
        DensityPanelsOptions? options = null)
        : this(PanelLayout.Of(options ??= new(), samples is not null, gridLines is not null), options, data, logDensity, samples,
            gridLines) { }

    /// <summary>Makes the picture from a density that is given as a function, such as <c>flow.LogProb</c>.</summary>
    /// <param name="data">The data, shape (N, 2), N at least 1. At most 20,000 points are drawn.</param>
    /// <param name="logDensity">
    /// Gives the log-density, shape (K), of points of shape (K, 2), which have the dtype (float32 if that is an integer) and
    /// the device of <paramref name="data"/>. It is called at once, without gradients, with at most 16,384 points a call; it must
    /// not dispose its argument. Its result is disposed here.
    /// </param>
    /// <param name="samples">Samples of the model, shape (M, 2), or null
    /// for no such panel. Samples that are not finite are left out.</param>
    /// <param name="gridLines">The warped grid, shape (lines, points, 2), or
    /// null for no such panel. Points that are not finite leave gaps.</param>
    /// <param name="options">Box, titles and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException"><paramref name="data"/> or <paramref name="logDensity"/> is null.</exception>
    /// <exception cref="ArgumentException">A shape is another one, the data or the
    /// density holds NaN or +infinity, or an option is out of range.</exception>
    public DensityPanels(Tensor data, Func<Tensor, Tensor> logDensity, Tensor? samples = null, Tensor? gridLines = null,
        DensityPanelsOptions? options = null)
        : this(PanelLayout.Of(options ??= new(), samples is not null, gridLines is not null), options, data,
            DensityGrid.Evaluate(logDensity, data, options), samples, gridLines) { }

    private DensityPanels(PanelLayout layout, DensityPanelsOptions options, Tensor data, Tensor logDensity, Tensor? samples,
        Tensor? gridLines)
        : this(layout, options, data, DensityGrid.Of(logDensity), samples, gridLines) { }

    private DensityPanels(PanelLayout layout, DensityPanelsOptions options, Tensor data, double[,] density, Tensor? samples,
        Tensor? gridLines)
        : base(layout.Width, layout.Height)
    {
        (this.layout, this.options, this.density) = (layout, options, density);
        this.data = Points(data, nameof(data));
        Check.Finite(this.data, nameof(data));
        this.samples = samples is null ? null : Points(samples, nameof(samples));
        if (gridLines is null) return;
        Check.Shape(gridLines, [-1, -1, 2], "(lines, points, 2)", nameof(gridLines));
        lines = Check.Numbers(gridLines, nameof(gridLines));
        pointsPerLine = (int)gridLines.size(1);
    }

    private protected override string Describe() => Charts.Prefix(options.Title)
        + string.Create(CultureInfo.InvariantCulture,
            $"Panels with the same axes: {data.Length / 2} points of the data, the density of the model")
        + (samples is null ? "" : ", samples of the model") + (lines is null ? "" : ", a grid of the latent space as the flow bends it")
        + string.Create(CultureInfo.InvariantCulture,
            $"; x from {options.Box.XMin:G4} to {options.Box.XMax:G4}, y from {options.Box.YMin:G4} to {options.Box.YMax:G4}.");

    private protected override void Draw(SKCanvas canvas)
    {
        using var text = new Text();
        layout.DrawTitle(canvas, text, options.Title);
        var panel = 0;
        using (var plot = PanelLayout.NewPanel(options.DataTitle, options.Box))
        {
            Panels.AddPoints(plot, data, Palette.First);
            layout.Draw(canvas, plot, panel++);
        }
        using (var plot = PanelLayout.NewPanel(options.DensityTitle, options.Box))
        {
            Panels.AddDensity(plot, density, options.Box);
            layout.Draw(canvas, plot, panel++);
        }
        if (samples is not null)
        {
            using var plot = PanelLayout.NewPanel(options.SamplesTitle, options.Box);
            Panels.AddPoints(plot, samples, Palette.Second);
            layout.Draw(canvas, plot, panel++);
        }
        if (lines is not null)
        {
            using var plot = PanelLayout.NewPanel(options.GridTitle, options.Box);
            Panels.AddLines(plot, lines, pointsPerLine, options.Box);
            layout.Draw(canvas, plot, panel);
        }
    }

    private static double[] Points(Tensor points, string name)
    {
        Check.Shape(points, [-1, 2], "(N, 2)", name);
        return Check.Numbers(points, name);
    }
}
