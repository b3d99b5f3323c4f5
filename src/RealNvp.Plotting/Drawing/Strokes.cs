using ScottPlot;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>Lines of one colour in a plot, as one path with no more points than are seen, so that SVG files stay small.</summary>
internal sealed class Strokes(IReadOnlyList<Coordinates[]> lines, Color color, float width, float[]? dashes = null) : IPlottable
{
    // what a line without some of its points may leave it by, in pixels
    private const double Tolerance = 0.08;

    public bool IsVisible { get; set; } = true;

    public IAxes Axes { get; set; } = new Axes();

    public IEnumerable<LegendItem> LegendItems => [];

    public AxisLimits GetAxisLimits() => AxisLimits.NoLimits;

    public void Render(RenderPack rp)
    {
        using var path = new SKPath();
        foreach (var line in lines)
        {
            if (line.Length == 0) continue;
            var pixels = Array.ConvertAll(line, p => Axes.GetPixel(p));
            foreach (var (i, at) in Kept(pixels).Index())
                if (i == 0) path.MoveTo(pixels[at].X, pixels[at].Y);
                else path.LineTo(pixels[at].X, pixels[at].Y);
            if (pixels.Length > 2 && pixels[0] == pixels[^1]) path.Close();
        }
        using var paint = new SKPaint
        {
            Color = color.ToSKColor(), StrokeWidth = width, Style = SKPaintStyle.Stroke, StrokeJoin = SKStrokeJoin.Round,
                IsAntialias = true,
        };
        Draw(rp.Canvas, path, dashes, paint);
    }

    /// <summary>Draws a path, in pieces if there are dashes: Skia's own dashes would fill an SVG file with an outline of each.</summary>
    public static void Draw(SKCanvas canvas, SKPath path, float[]? dashes, SKPaint paint)
    {
        if (dashes is null)
        {
            canvas.DrawPath(path, paint);
            return;
        }
        using var pieces = new SKPath();
        using var measure = new SKPathMeasure(path, false);
        do
        {
            var (at, piece) = (0f, 0);
            for (; at < measure.Length; at += dashes[piece++ % dashes.Length])
                if (piece % 2 == 0) measure.GetSegment(at, Math.Min(measure.Length, at + dashes[piece % dashes.Length]), pieces, true);
        }
        while (measure.NextContour());
        canvas.DrawPath(pieces, paint);
    }

    /// <summary>The points that a line needs, by Douglas and Peucker.</summary>
    private static List<int> Kept(Pixel[] pixels)
    {
        var kept = new bool[pixels.Length];
        kept[0] = kept[^1] = true;
        Stack<(int First, int Last)> open = new([(0, pixels.Length - 1)]);
        while (open.TryPop(out var part))
        {
            var (farthest, distance) = (0, Tolerance * Tolerance);
            for (var i = part.First + 1; i < part.Last; i++)
                if (Distance(pixels[i], pixels[part.First], pixels[part.Last]) is var d && d > distance) (farthest, distance) = (i, d);
            if (farthest == 0) continue;
            kept[farthest] = true;
            open.Push((part.First, farthest));
            open.Push((farthest, part.Last));
        }
        return [.. Enumerable.Range(0, pixels.Length).Where(i => kept[i])];
    }

    /// <summary>The square of the distance of a point from a piece of a line.</summary>
    private static double Distance(Pixel p, Pixel a, Pixel b)
    {
        double dx = b.X - a.X, dy = b.Y - a.Y, length = dx * dx + dy * dy;
        var t = length > 0 ? Math.Clamp(((p.X - a.X) * dx + (p.Y - a.Y) * dy) / length, 0, 1) : 0;
        double ex = p.X - a.X - t * dx, ey = p.Y - a.Y - t * dy;
        return ex * ex + ey * ey;
    }
}
