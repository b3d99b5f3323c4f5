using ScottPlot;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>What the marks of a chart mean, in rows above it, so that no curve lies under it.</summary>
internal sealed class Legend
{
    private const float SymbolWidth = 30, SymbolGap = 7, ItemGap = 22, RowFactor = 1.6f;

    private readonly List<Item> items = [];

    /// <summary>A line; dashes are lengths of strokes and gaps in pixels.</summary>
    public Legend Line(string label, Color color, float[]? dashes = null, float width = 2.4f) => Add(label, (canvas, x, y, _) =>
    {
        using var paint = Stroke(color, width);
        using var line = new SKPath();
        line.MoveTo(x, y);
        line.LineTo(x + SymbolWidth, y);
        Strokes.Draw(canvas, line, dashes, paint);
    });

    /// <summary>An area with an outline, or without.</summary>
    public Legend Area(string label, Color fill, Color? outline = null, float[]? dashes = null) => Add(label, (canvas, x, y, size) =>
    {
        var box = SKRect.Create(x + 3, y - size * 0.42f, SymbolWidth - 6, size * 0.84f);
        using var area = new SKPaint { Color = fill.ToSKColor(), IsAntialias = true };
        canvas.DrawRect(box, area);
        if (outline is null) return;
        using var paint = Stroke(outline.Value, 1.8f);
        using var edge = new SKPath();
        edge.AddRect(box);
        Strokes.Draw(canvas, edge, dashes, paint);
    });

    public Legend Dot(string label, Color color, float diameter = 6) => Add(label, (canvas, x, y, _) =>
    {
        using var paint = new SKPaint { Color = color.ToSKColor(), IsAntialias = true };
        for (var at = 0.2f; at < 1; at += 0.3f) canvas.DrawCircle(x + at * SymbolWidth, y, diameter / 2, paint);
    });

    public Legend Ring(string label, Color color) => Add(label, (canvas, x, y, _) =>
    {
        using var paint = Stroke(color, 2.5f);
        canvas.DrawCircle(x + SymbolWidth / 2, y, 6, paint);
    });

    /// <summary>Draws the rows, each in the middle, and returns their height.</summary>
    public float Draw(SKCanvas canvas, Text text, float left, float right, float top, float size)
    {
        var row = 0;
        var height = RowFactor * size;
        foreach (var line in Rows(text, right - left, size))
        {
            var x = left + (right - left - line.Sum(i => i.Width) - ItemGap * (line.Count - 1)) / 2;
            var y = top + (row++ + 0.5f) * height;
            foreach (var (item, label, labelSize, width) in line)
            {
                item.DrawSymbol(canvas, x, y, size);
                text.Draw(canvas, label, x + SymbolWidth + SymbolGap, y, labelSize, SKTextAlign.Left);
                x += width + ItemGap;
            }
        }
        return row * height;
    }

    private List<List<(Item Item, string Label, float Size, float Width)>> Rows(Text text, float room, float size)
    {
        List<List<(Item, string, float, float)>> rows = [];
        var used = float.PositiveInfinity;
        foreach (var item in items)
        {
            var (label, labelSize) = text.Fit(item.Label, size, room - SymbolWidth - SymbolGap);
            var width = SymbolWidth + SymbolGap + text.Width(label, labelSize);
            if (used + ItemGap + width > room)
            {
                rows.Add([]);
                used = -ItemGap;
            }
            rows[^1].Add((item, label, labelSize, width));
            used += ItemGap + width;
        }
        return rows;
    }

    private Legend Add(string label, Action<SKCanvas, float, float, float> symbol)
    {
        items.Add(new(label, symbol));
        return this;
    }

    private static SKPaint Stroke(Color color, float width) =>
        new() { Color = color.ToSKColor(), StrokeWidth = width, Style = SKPaintStyle.Stroke, IsAntialias = true };

    private sealed record Item(string Label, Action<SKCanvas, float, float, float> DrawSymbol);
}
