using ScottPlot;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>Points of one colour in a plot, which are darker where several lie upon each other; or crosses, which hide nothing.</summary>
/// <remarks>They are drawn in layers: those of one layer do not touch, so that each layer is one path. An SVG file then has some ten
/// bytes for a point.</remarks>
internal sealed class Dots(IReadOnlyList<Coordinates> points, Color color, float diameter, bool crosses = false) : IPlottable
{
    private const float CrossWidth = 1.6f;

    private static readonly int[] Sides = [-1, 1];

    // so many upon each other are as dark as any
    private const int MostLayers = 64;

    public bool IsVisible { get; set; } = true;

    public IAxes Axes { get; set; } = new Axes();

    public IEnumerable<LegendItem> LegendItems => [];

    public AxisLimits GetAxisLimits() => AxisLimits.NoLimits;

    public void Render(RenderPack rp)
    {
        using var paint = new SKPaint
        {
            Color = color.ToSKColor(), StrokeWidth = crosses ? CrossWidth : diameter, Style = SKPaintStyle.Stroke,
                StrokeCap = SKStrokeCap.Round,
            IsAntialias = true,
        };
        var edge = diameter / 2;
        var seen = rp.DataRect;
        foreach (var layer in Layers(points.Select(Axes.GetPixel).Where(p =>
            p.X > seen.Left - edge && p.X < seen.Right + edge && p.Y > seen.Top - edge && p.Y < seen.Bottom + edge)))
        {
            using var path = new SKPath();
            foreach (var point in layer)
            {
                if (crosses)
                {
                    foreach (var side in Sides)
                    {
                        path.MoveTo(point.X - side * diameter / 2, point.Y - diameter / 2);
                        path.LineTo(point.X + side * diameter / 2, point.Y + diameter / 2);
                    }
                    continue;
                }
                path.MoveTo(point.X, point.Y);
                path.LineTo(point.X, point.Y);
            }
            rp.Canvas.DrawPath(path, paint);
        }
    }

    private List<List<Pixel>> Layers(IEnumerable<Pixel> pixels)
    {
        List<List<Pixel>> layers = [];
        Dictionary<(int, int), List<(Pixel Point, int Layer)>> cells = [];
        foreach (var point in pixels)
        {
            var (column, row) = ((int)MathF.Floor(point.X / diameter), (int)MathF.Floor(point.Y / diameter));
            var taken = 0UL;
            for (var c = column - 1; c <= column + 1; c++)
                for (var r = row - 1; r <= row + 1; r++)
                    foreach (var (other, layer) in cells.GetValueOrDefault((c, r), []))
                    {
                        var (dx, dy) = (other.X - point.X, other.Y - point.Y);
                        if (dx * dx + dy * dy < diameter * diameter) taken |= 1UL << layer;
                    }
            var free = System.Numerics.BitOperations.TrailingZeroCount(~taken);
            if (free >= MostLayers) continue;
            if (free == layers.Count) layers.Add([]);
            layers[free].Add(point);
            if (!cells.TryGetValue((column, row), out var cell)) cells[(column, row)] = cell = [];
            cell.Add((point, free));
        }
        return layers;
    }
}
