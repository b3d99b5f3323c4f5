using System.Globalization;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>Draws the rows of a layer plot: a name, its log-determinants, its values.</summary>
internal sealed class LayerRowsDrawing(IReadOnlyList<LayerStatistics> layers, LayerPlotOptions options, int width, string? note)
{
    private const int RowHeight = 28, TitleHeight = 42, HeadHeight = 36, AxisHeight = 34, NoteHeight = 30, Gap = 26, Edge = 14;
    private const float Size = 15;

    private static readonly SKColor Bad = new(0xB0, 0x00, 0x20);

    public static int HeightOf(int count, LayerPlotOptions options) =>
        (string.IsNullOrEmpty(options.Title) ? 0 : TitleHeight) + HeadHeight + count * RowHeight + AxisHeight + NoteHeight;

    public void Draw(SKCanvas canvas)
    {
        using var text = new Text();
        var top = 0f;
        if (!string.IsNullOrEmpty(options.Title))
        {
            text.DrawFitted(canvas, options.Title, width / 2f, TitleHeight / 2f + 2, Charts.TitleSize, SKTextAlign.Center, width - 12);
            top = TitleHeight;
        }
        var names = layers.Select(l => $"{Short(l.Path)}  {l.Type}").ToArray();
        var left = Math.Min(width * 0.42f, Edge + names.Max(n => text.Width(n, Size)) + 12);
        var panel = (width - left - Gap - Edge - 8) / 2;
        for (var i = 0; i < layers.Count; i++)
        {
            var middle = top + HeadHeight + (i + 0.5f) * RowHeight;
            text.DrawFitted(canvas, names[i], Edge, middle, Size, SKTextAlign.Left, left - 8 - Edge);
        }
        DrawPanel(canvas, text, left, panel, top, "log-determinant of a row, nats", l => l.LogDet, Palette.First.ToSKColor());
        DrawPanel(canvas, text, left + panel + Gap, panel, top, "values that the layer gives", l => l.Output, Palette.Third.ToSKColor());
        var line = "dot: mean; bar: ± standard deviation; line: smallest to largest" + (note is null ? "" : "; " + note);
        text.DrawFitted(canvas, line, Edge, HeightOf(layers.Count, options) - NoteHeight / 2f, Size - 1, SKTextAlign.Left,
            width - 2 * Edge);
    }

    private void DrawPanel(SKCanvas canvas, Text text, float left, float panel, float top, string title,
        Func<LayerStatistics, NumberSummary?> numbers, SKColor color)
    {
        var axis = NumberAxis.Of(layers.Select(numbers).OfType<NumberSummary>().Where(n => n.Count > 0));
        float X(double value) => left + panel * (float)axis.Place(value);
        var (first, last) = (top + HeadHeight, top + HeadHeight + layers.Count * RowHeight);
        text.DrawFitted(canvas, title, left + panel / 2, top + HeadHeight / 2f, Charts.TextSize, SKTextAlign.Center, panel + Gap - 6);
        using var grid = Stroke(Palette.GridLine.ToSKColor(), 1);
        List<(float From, float To)> used = [];
        // from 0 to both sides: what an axis is about is near it
        foreach (var tick in axis.Ticks.OrderBy(Math.Abs))
        {
            canvas.DrawLine(X(tick), first, X(tick), last, grid);
            var label = NumberText.Of(tick);
            var half = text.Width(label, Size - 1) / 2;
            if (used.Any(u => X(tick) - half < u.To + 8 && X(tick) + half > u.From - 8)) continue;
            text.Draw(canvas, label, X(tick), last + 15, Size - 1, SKTextAlign.Center);
            used.Add((X(tick) - half, X(tick) + half));
        }
        using var frame = Stroke(Palette.Frame.ToSKColor(), 1);
        canvas.DrawRect(left, first, panel, last - first, frame);
        if (axis.Place(0) is >= 0 and <= 1) canvas.DrawLine(X(0), first, X(0), last, frame);
        using var whisker = Stroke(color, 1.8f);
        using var bar = new SKPaint { Color = color.WithAlpha(100), IsAntialias = true };
        using var dot = new SKPaint { Color = color, IsAntialias = true };
        for (var i = 0; i < layers.Count; i++)
        {
            var middle = first + (i + 0.5f) * RowHeight;
            if (numbers(layers[i]) is not { } found)
            {
                text.Draw(canvas, "no row came here", left + panel - 6, middle, Size - 2, SKTextAlign.Right);
                continue;
            }
            if (found.Count > 0)
            {
                canvas.DrawLine(X(found.Smallest), middle, X(found.Largest), middle, whisker);
                var (from, to) = (X(Math.Max(found.Smallest, found.Mean - found.StandardDeviation)),
                    X(Math.Min(found.Largest, found.Mean + found.StandardDeviation)));
                canvas.DrawRect(from, middle - 7, Math.Max(to - from, 0.5f), 14, bar);
                canvas.DrawCircle(X(found.Mean), middle, 4.5f, dot);
            }
            if (found.NotFinite > 0) DrawBad(canvas, text, left + panel - 6, middle, found.NotFinite);
        }
    }

    private static void DrawBad(SKCanvas canvas, Text text, float right, float middle, long count)
    {
        var label = string.Create(CultureInfo.InvariantCulture, $"{count} not finite");
        var wide = text.Width(label, Size - 1);
        using var paper = new SKPaint { Color = Bad, IsAntialias = true };
        canvas.DrawRect(right - wide - 8, middle - 11, wide + 10, 22, paper);
        text.Draw(canvas, label, right - 2, middle, Size - 1, SKTextAlign.Right, SKColors.White);
    }

    // all paths begin alike
    private static string Short(string path) => path.StartsWith("bijection.", StringComparison.Ordinal) ? path["bijection.".Length..]
        : path;

    private static SKPaint Stroke(SKColor color, float size) =>
        new() { Color = color, StrokeWidth = size, Style = SKPaintStyle.Stroke, IsAntialias = true };
}
