using System.Globalization;
using ScottPlot;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>Where the panels and texts of a corner plot go.</summary>
internal sealed class CornerLayout
{
    private const int Left = 64, Bottom = 52, Top = 12, Right = 14, Gap = 8, TitleHeight = 34, MinWidth = 420, NoteHeight = 22;
    private const int MaxPoints = 1500, MaxPointsOfAll = 24_000;

    private readonly int count, panel, top;

    private CornerLayout(int count, int panel, bool title)
    {
        (this.count, this.panel) = (count, panel);
        top = title ? TitleHeight : 0;
        Width = Math.Max(MinWidth, Left + count * (panel + Gap) + Right);
        // one or two features leave no empty corner for the legend
        LegendHeight = count <= 2 ? 78 : 0;
        Height = top + LegendHeight + Top + count * (panel + Gap) + Bottom + NoteHeight;
    }

    public int Width { get; }

    public int Height { get; }

    public int PointsPerPanel => Math.Min(MaxPoints, MaxPointsOfAll / Math.Max(1, count * (count - 1) / 2));

    private int LegendHeight { get; }

    public static CornerLayout Of(int count, CornerPlotOptions options) =>
        new(count, options.PanelSize ?? Math.Clamp(900 / count, 110, 300), !string.IsNullOrEmpty(options.Title));

    public Plot NewPanel(int row, int column, string[] names)
    {
        var (last, first) = (row == count - 1, column == 0);
        var plot = Charts.New(null, last ? names[column] : null, first && row > 0 ? names[row] : null);
        plot.Layout.Fixed(new PixelPadding(first ? Left : 1, Gap, last ? Bottom : 1, Gap));
        plot.HideGrid();
        plot.Axes.Bottom.TickGenerator = Ticks(last);
        plot.Axes.Left.TickGenerator = Ticks(first && row > 0);
        if (!last) plot.Axes.Bottom.MajorTickStyle.Length = 0;
        if (!first || row == 0) plot.Axes.Left.MajorTickStyle.Length = 0;
        return plot;
    }

    public void Draw(SKCanvas canvas, Plot plot, int row, int column)
    {
        var (left, above) = (Left + column * (panel + Gap), top + LegendHeight + Top + row * (panel + Gap));
        var place = new PixelRect(
            left - (column == 0 ? Left : 1), left + panel + Gap, above + panel + (row == count - 1 ? Bottom : 1), above - Gap);
        Charts.Draw(canvas, plot, place);
    }

    public void DrawTexts(SKCanvas canvas, Text text, CornerPlotOptions options, int rows, int? samples, string? note)
    {
        if (top > 0) text.Draw(canvas, options.Title!, Width / 2f, top / 2f + 2, Charts.TitleSize + 1, SKTextAlign.Center);
        // in the empty corner, or above the panels
        var x = count <= 2 ? Left : Left + Math.Max(1, count / 2) * (panel + Gap) + 24f;
        var y = top + 20f;
        Entry(canvas, text, x, y, Palette.First, dashed: false, string.Create(CultureInfo.InvariantCulture,
            $"{options.DataLabel} ({rows})"));
        if (samples is { } number)
            Entry(canvas, text, x, y + 22, Palette.Second, dashed: true, string.Create(CultureInfo.InvariantCulture,
                $"{options.SamplesLabel} ({number})"));
        if (count > 1)
            text.Draw(canvas, "contours hold 50 % and 90 %", x, y + (samples is null ? 22 : 44), Charts.TextSize - 1, SKTextAlign.Left);
        if (note is not null) text.Draw(canvas, note, Left, Height - NoteHeight / 2f, Charts.TextSize - 2, SKTextAlign.Left);
    }

    private static ScottPlot.TickGenerators.NumericAutomatic Ticks(bool labels)
    {
        var ticks = Charts.NewTicks(40);
        if (!labels) ticks.LabelFormatter = _ => "";
        return ticks;
    }

    private static void Entry(SKCanvas canvas, Text text, float x, float y, Color color, bool dashed, string label)
    {
        using var dash = dashed ? SKPathEffect.CreateDash([7, 4], 0) : null;
        using var paint = new SKPaint
        {
            Color = color.ToSKColor(), StrokeWidth = 2.4f, Style = SKPaintStyle.Stroke, IsAntialias = true, PathEffect = dash,
        };
        canvas.DrawLine(x, y, x + 32, y, paint);
        text.Draw(canvas, label, x + 40, y, Charts.TextSize, SKTextAlign.Left);
    }
}
