using System.Globalization;
using ScottPlot;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>Panels of planes side by side, with room for a title above and for numbers and labels of the axes.</summary>
internal sealed class PanelLayout
{
    private const int Right = 14, Top = 40, TitleHeight = 46, LegendHeight = 28, LabelSize = 26, TickGap = 12, BarWidth = 14, BarGap = 10;

    private readonly Panel[] panels;
    private readonly int planeWidth, planeHeight, head;

    private PanelLayout(Panel[] panels, int planeWidth, int planeHeight, int head)
    {
        (this.panels, this.planeWidth, this.planeHeight, this.head) = (panels, planeWidth, planeHeight, head);
        Width = panels.Sum(p => p.Left + planeWidth + p.Right);
        Height = head + Top + planeHeight + Bottom;
    }

    public static int Bottom => LabelSize + 24;

    public int Width { get; }

    public int Height { get; }

    /// <summary>The layout of planes of one size.</summary>
    /// <param name="boxes">What the panels show.</param>
    /// <param name="planeWidth">The width of each plane in pixels.</param>
    /// <param name="planeHeight">The height of each plane in pixels.</param>
    /// <param name="title">Whether there is a title above all panels.</param>
    /// <param name="legend">Whether there is a legend above all panels.</param>
    /// <param name="bars">What stands at the upper end of the bar of colours beside a panel; null for a panel without one.</param>
    public static PanelLayout Of(IReadOnlyList<PlotBox> boxes, int planeWidth, int planeHeight, bool title, bool legend = false,
        IReadOnlyList<string?>? bars = null)
    {
        using var text = new Text();
        Panel[] panels = [.. boxes.Select((box, i) =>
        {
            var y = Ticks.Up(box.YMin, box.YMax, planeHeight);
            var left = LabelSize + TickGap + (y.Labels.Length == 0 ? 0
                : (int)Math.Ceiling(y.Labels.Max(l => text.Width(l, Charts.TickSize))));
            var bar = bars?[i];
            return new Panel(box, Ticks.Across(box.XMin, box.XMax, planeWidth, l => text.Width(l, Charts.TickSize)), y, left,
                Right + (bar is null ? 0 : BarGap + BarWidth + 6 + (int)Math.Ceiling(text.Width(bar, Charts.TickSize))));
        })];
        return new(panels, planeWidth, planeHeight, (title ? TitleHeight : 6) + (legend ? LegendHeight : 0));
    }

    public static PanelLayout Of(DensityPanelsOptions options, int count, string? bar)
    {
        options.Box.Validate("Box");
        if (options.PanelWidth is < 100 or > 2000)
            throw new ArgumentException($"PanelWidth is {options.PanelWidth}; expected 100 to 2000.", nameof(options));
        if (options.Resolution is < 2 or > 2000)
            throw new ArgumentException($"Resolution is {options.Resolution}; expected 2 to 2000.", nameof(options));
        var height = options.PanelWidth * (options.Box.YMax - options.Box.YMin) / (options.Box.XMax - options.Box.XMin);
        if (height is < 20 or > 8000)
            throw new ArgumentException(
                string.Create(CultureInfo.InvariantCulture,
                    $"Box is {options.Box}, which makes panels of {options.PanelWidth} x {height:F0} pixels; expected a height of 20 to " +
                    $"8000."),
                nameof(options));
        return Of([.. Enumerable.Repeat(options.Box, count)], options.PanelWidth, (int)Math.Round(height),
            !string.IsNullOrEmpty(options.Title), bars: [.. Enumerable.Range(0, count).Select(i => i == 1 ? bar : null)]);
    }

    /// <summary>The left upper corner of the plane of a panel.</summary>
    public (int X, int Y) Plane(int index) =>
        (panels.Take(index).Sum(p => p.Left + planeWidth + p.Right) + panels[index].Left, head + Top);

    public void DrawHead(SKCanvas canvas, Text text, string? title, Legend? legend = null)
    {
        if (!string.IsNullOrEmpty(title))
            text.DrawFitted(canvas, title, Width / 2f, TitleHeight / 2f + 2, Charts.TitleSize, SKTextAlign.Center, Width - 12);
        legend?.Draw(canvas, text, 6, Width - 6, head - LegendHeight, Charts.TextSize);
    }

    /// <summary>Draws a plot into a panel, with its title and the labels of its axes.</summary>
    public void Draw(SKCanvas canvas, Text text, Plot plot, int index, string title, string xLabel, string yLabel)
    {
        var panel = panels[index];
        var (left, top) = Plane(index);
        plot.Axes.SetLimits(panel.Box.XMin, panel.Box.XMax, panel.Box.YMin, panel.Box.YMax);
        plot.HideGrid();
        // the labels are drawn here, at a place of their own; ScottPlot would leave the distance to the numbers to their widths
        plot.Layout.Fixed(new PixelPadding(panel.Left, panel.Right, Bottom, Top));
        Charts.Finish(plot, text, planeWidth, planeHeight, 1, panel.X, panel.Y);
        plot.Axes.Bottom.Label.IsVisible = plot.Axes.Left.Label.IsVisible = false;
        var place = new PixelRect(left - panel.Left, left + planeWidth + panel.Right, Height, head);
        Charts.Render(canvas, plot, place);
        text.DrawFitted(canvas, title, left + planeWidth / 2f, head + Top / 2f, Charts.TextSize, SKTextAlign.Center,
            planeWidth + panel.Left);
        text.DrawFitted(canvas, With(xLabel, panel.X), left + planeWidth / 2f, top + planeHeight + Bottom - LabelSize / 2f - 3,
            Charts.TextSize,
            SKTextAlign.Center, planeWidth);
        text.DrawUpwards(canvas, With(yLabel, panel.Y), left - panel.Left + LabelSize / 2f, top + planeHeight / 2f, Charts.TextSize,
            planeHeight);
    }

    /// <summary>Draws the bar of colours of a density from 0 to its largest value beside a panel.</summary>
    public void DrawBar(SKCanvas canvas, Text text, int index, string highest)
    {
        var (left, top) = Plane(index);
        var x = left + planeWidth + BarGap;
        var map = new ScottPlot.Colormaps.Viridis();
        using var paint = new SKPaint();
        for (var y = 0; y < planeHeight; y++)
        {
            paint.Color = map.GetColor(1 - (y + 0.5) / planeHeight).ToSKColor();
            canvas.DrawRect(SKRect.Create(x, top + y, BarWidth, 1), paint);
        }
        text.Draw(canvas, highest, x + BarWidth + 6, top + 6, Charts.TickSize, SKTextAlign.Left);
        text.Draw(canvas, "0", x + BarWidth + 6, top + planeHeight - 6, Charts.TickSize, SKTextAlign.Left);
    }

    private static string With(string label, Ticks ticks) => ticks.Offset is null ? label : $"{label}  ({ticks.Offset})";

    private sealed record Panel(PlotBox Box, Ticks X, Ticks Y, int Left, int Right);
}
