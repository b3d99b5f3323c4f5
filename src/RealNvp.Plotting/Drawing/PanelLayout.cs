using System.Globalization;
using ScottPlot;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>Where the panels of a density picture go. Each shows the same box with the same unit in both directions.</summary>
internal sealed class PanelLayout
{
    private const int Left = 44, Right = 14, Top = 36, Bottom = 34, Title = 46;

    private readonly int planeWidth, planeHeight, title;

    private PanelLayout(int count, int planeWidth, int planeHeight, int title)
    {
        (this.planeWidth, this.planeHeight, this.title) = (planeWidth, planeHeight, title);
        Width = count * (Left + planeWidth + Right);
        Height = title + Top + planeHeight + Bottom;
    }

    public int Width { get; }

    public int Height { get; }

    public static PanelLayout Of(DensityPanelsOptions options, bool samples, bool grid)
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
        return new PanelLayout(2 + (samples ? 1 : 0) + (grid ? 1 : 0), options.PanelWidth, (int)Math.Round(height),
            string.IsNullOrEmpty(options.Title) ? 0 : Title);
    }

    public void DrawTitle(SKCanvas canvas, Text text, string? line)
    {
        if (title > 0) text.Draw(canvas, line!, Width / 2f, title / 2f + 2, Charts.TitleSize + 1, SKTextAlign.Center);
    }

    public static Plot NewPanel(string panelTitle, PlotBox box)
    {
        var plot = Charts.New(panelTitle, null, null);
        plot.Axes.SetLimits(box.XMin, box.XMax, box.YMin, box.YMax);
        plot.Layout.Fixed(new PixelPadding(Left, Right, Bottom, Top));
        plot.HideGrid();
        plot.Axes.Bottom.TickGenerator = Charts.NewTicks(28);
        return plot;
    }

    public void Draw(SKCanvas canvas, Plot plot, int index)
    {
        Charts.Finish(plot);
        plot.Axes.Title.Label.FontSize = Charts.TextSize + 1;
        var x = index * (Left + planeWidth + Right);
        canvas.Save();
        canvas.ClipRect(new SKRect(x, title, x + Left + planeWidth + Right, Height));
        plot.Render(canvas, new PixelRect(x, x + Left + planeWidth + Right, Height, title));
        canvas.Restore();
    }
}
