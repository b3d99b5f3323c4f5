using System.Globalization;
using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>
/// How a flow bends the plane, in both directions: a grid of the latent space taken to data by the inverse, and a grid of
/// the data space taken to latents by the forward direction; with data and their latents as points, if there are data.
/// </summary>
/// <remarks>
/// Lines that are close together say where the flow gathers volume, and lines that cross would say that
/// it is no bijection. Upright lines are blue and wide, level ones orange and thin. Both axes of a panel have one unit.
/// </remarks>
/// <example>
/// <code>
/// new WarpedGrid(flow, x).Save("grid.svg");
/// </code>
/// </example>
public sealed class WarpedGrid : Picture
{
    private const int MaxPoints = 20_000;

    private static readonly ScottPlot.Color Points = ScottPlot.Color.FromHex("#5B6472");

    private readonly WarpedGridOptions options;
    private readonly Parts parts;

    /// <summary>Makes the picture of a flow of the plane, whatever layers it has.</summary>
    /// <param name="flow">A flow of examples (2) and latents (2); it is only read, in evaluation mode.</param>
    /// <param name="data">(N, 2) points to show with the grids, or null. Up to 20,000 are used.</param>
    /// <param name="context">The one context of both grids and of the points, (1, ...), for a conditional flow.</param>
    /// <param name="options">Grids, titles and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException"><paramref name="flow"/> is null.</exception>
    /// <exception cref="ArgumentException">
    /// The flow has other shapes, the data hold NaN or infinity or lie outside
    /// of its domain, the data grid does, or an option is out of range.
    /// </exception>
    /// <exception cref="NonFiniteException">A layer gave NaN or infinity; it names the layer.</exception>
    public WarpedGrid(Flow flow, PlotData? data = null, PlotData? context = null, WarpedGridOptions? options = null)
        : this(Parts.Of(flow, data, context, options ?? new()), options ?? new()) { }

    private WarpedGrid(Parts parts, WarpedGridOptions options) : base(parts.Layout.Width, parts.Layout.Height) =>
        (this.parts, this.options) = (parts, options);

    /// <summary>The grid of the data space.</summary>
    public PlotBox DataBox => parts.DataBox;

    /// <summary>The lines of the latent grid in the data space, (2 · lines, points, 2): upright ones first.</summary>
    public PlotData ToData => parts.ToData;

    /// <summary>The lines of the data grid in the latent space, (2 · lines, points, 2): upright ones first.</summary>
    public PlotData ToLatents => parts.ToLatents;

    private protected override void Draw(SKCanvas canvas)
    {
        using var text = new Text();
        var legend = new Legend().Line("upright lines", Palette.First, null, 1.25f * Panels.UprightWidth)
            .Line("level lines", Palette.Second, null, 1.25f * Panels.LevelWidth);
        if (parts.Data is not null) legend.Dot("data", Points, 5);
        parts.Layout.DrawHead(canvas, text, options.Title, legend);
        Draw(0, options.DataTitle, parts.DataPanel, parts.Data, ToData, "x");
        Draw(1, options.LatentTitle, parts.LatentPanel, parts.Latents, ToLatents, "z");

        void Draw(int index, string title, PlotBox box, double[]? points, PlotData lines, string letter)
        {
            using var plot = Charts.New(null, null);
            if (points is not null) Panels.AddPoints(plot, points, Points, 0.8);
            Panels.AddLines(plot, [.. lines.Numbers], options.PointsPerLine, box, isGrid: true);
            parts.Layout.Draw(canvas, text, plot, index, title, letter + "1", letter + "2");
        }
    }

    private protected override string Describe() => Charts.Prefix(options.Title) + string.Create(CultureInfo.InvariantCulture,
        $"A grid of {options.Lines} by {options.Lines} lines of the latent space as the flow bends it into the data space, and a grid " +
            $"of the data space "
        + $"as it bends it into the latent space{(parts.Data is null ? "" : $"; with {parts.Data.Length / 2} points of the data")}.");

    /// <summary>The square around the bulk of points.</summary>
    private static PlotBox BoxOf(double[] points)
    {
        const double Fence = 1.5;
        var finite = Enumerable.Range(0, points.Length / 2).Where(i => double.IsFinite(points[2 * i] + points[2 * i + 1])).ToArray();
        if (finite.Length == 0) return PlotBox.Square(4);
        var (left, right) = RobustRange.Of([.. finite.Select(i => points[2 * i])], Fence);
        var (bottom, top) = RobustRange.Of([.. finite.Select(i => points[2 * i + 1])], Fence);
        return Square((left + right) / 2, (bottom + top) / 2, Math.Max(Math.Max(right - left, top - bottom) / 2,
            1e-6 * (1 + Math.Abs(left) + Math.Abs(bottom))));
    }

    /// <summary>The square that shows the grid and most of the points, with a little space.</summary>
    private static PlotBox Around(PlotBox grid, double[]? points)
    {
        var bulk = points is null ? grid : BoxOf(points);
        var (left, right) = (Math.Min(grid.XMin, bulk.XMin), Math.Max(grid.XMax, bulk.XMax));
        var (bottom, top) = (Math.Min(grid.YMin, bulk.YMin), Math.Max(grid.YMax, bulk.YMax));
        return Square((left + right) / 2, (bottom + top) / 2, 0.56 * Math.Max(right - left, top - bottom));
    }

    private static PlotBox Square(double x, double y, double half) => new(x - half, x + half, y - half, y + half);

    private static double[] Thinned(double[] points)
    {
        var count = points.Length / 2;
        return count <= MaxPoints ? points
            : [.. Enumerable.Range(0, MaxPoints).Select(i => (int)((long)i * count / MaxPoints)).SelectMany(k => new[] { points[2 * k],
                points[2 * k + 1] })];
    }

    private static void CheckOptions(WarpedGridOptions options)
    {
        options.LatentGrid.Validate("LatentGrid");
        options.DataGrid?.Validate("DataGrid");
        if (options.Lines is < 2 or > 200) throw new ArgumentException($"Lines is {options.Lines}; expected 2 to 200.", nameof(options));
        if (options.PointsPerLine is < 2 or > 5000)
            throw new ArgumentException($"PointsPerLine is {options.PointsPerLine}; expected 2 to 5000.", nameof(options));
        if (options.PanelSize is < 100 or > 2000)
            throw new ArgumentException($"PanelSize is {options.PanelSize}; expected 100 to 2000.", nameof(options));
    }

    /// <summary>All that is drawn, and where.</summary>
    private sealed record Parts(PanelLayout Layout, PlotBox DataBox, PlotBox DataPanel, PlotBox LatentPanel, double[]? Data,
        double[]? Latents,
        PlotData ToData, PlotData ToLatents)
    {
        public static Parts Of(Flow flow, PlotData? data, PlotData? context, WarpedGridOptions options)
        {
            FlowInput.CheckPlane(flow);
            CheckOptions(options);
            using var scope = NewDisposeScope();
            using var gradients = no_grad();
            var (device, dtype) = FlowInput.WeightsOf(flow);
            var rows = FlowInput.OneContext(flow, context);
            Tensor Decode(Tensor z) => flow.Decode(z, rows?.Invoke(z.size(0)));
            Tensor Encode(Tensor x) => flow.Encode(x, rows?.Invoke(x.size(0)), seed: 0);

            double[]? points = null, latents = null;
            if (data is not null)
            {
                points = Thinned(data.Points(nameof(data)));
                Check.Finite(points, nameof(data));
                latents = Check.Numbers(Encode(tensor(points, points.Length / 2, 2, device: CPU).to(dtype, device)), "latents");
            }
            var toData = FlowPanels.Warped(options.LatentGrid.GridLines(options.Lines, options.PointsPerLine), device, dtype, Decode);
            var box = options.DataGrid ?? BoxOf(points ?? [.. toData.Numbers]);
            var toLatents = FlowPanels.Warped(box.GridLines(options.Lines, options.PointsPerLine), device, dtype, Encode);
            PlotBox dataPanel = Around(box, points), latentPanel = Around(options.LatentGrid, latents);
            return new(PanelLayout.Of([dataPanel, latentPanel], options.PanelSize, options.PanelSize, !string.IsNullOrEmpty(options.Title),
                true),
                box, dataPanel, latentPanel, points, latents, toData, toLatents);
        }
    }
}
