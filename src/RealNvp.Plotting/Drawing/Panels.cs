using ScottPlot;

namespace RealNvp.Plotting;

/// <summary>What the panels of a density picture hold.</summary>
internal static class Panels
{
    private const int MaxPoints = 20_000;

    /// <summary>Adds points (x, y, x, y, ...), fainter where they are many; more than 20,000 are thinned evenly.</summary>
    public static void AddPoints(Plot plot, double[] points, Color color, double strength = 1)
    {
        var count = points.Length / 2;
        var shown = Math.Min(count, MaxPoints);
        List<Coordinates> coordinates = new(shown);
        for (var i = 0; i < shown; i++)
        {
            var k = (int)((long)i * count / shown);
            if (double.IsFinite(points[2 * k]) && double.IsFinite(points[2 * k + 1]))
                coordinates.Add(new(points[2 * k], points[2 * k + 1]));
        }
        if (coordinates.Count == 0) return;
        // a few points are drawn in full
        var alpha = shown <= 100 ? 0.9 : strength * Math.Clamp(26 / Math.Sqrt(shown), 0.25, 0.9);
        plot.Add.Plottable(new Dots(coordinates, color.WithAlpha(alpha), shown > 5000 ? 2.5f : shown > 1000 ? 3 : shown > 100 ? 4.5f : 6));
    }

    public static void AddDensity(Plot plot, double[,] density, PlotBox box)
    {
        var map = plot.Add.Heatmap(density);
        map.Colormap = new ScottPlot.Colormaps.Viridis();
        map.ManualRange = new(0, 1);
        map.Rectangle = new CoordinateRect(box.XMin, box.XMax, box.YMin, box.YMax);
        map.FlipVertically = true;
        map.Smooth = true;
    }

    /// <summary>Adds lines of points (x, y, x, y, ...): of a grid, whose first half are upright lines
    /// and the second half level ones, in two colours; other lines, such as paths, in one.</summary>
    public static void AddLines(Plot plot, double[] points, int pointsPerLine, PlotBox box, bool isGrid)
    {
        var lines = points.Length / 2 / pointsPerLine;
        // far outside the box Skia's float coordinates lose their precision, and nobody sees it
        var (reachX, reachY) = (20 * (box.XMax - box.XMin), 20 * (box.YMax - box.YMin));
        List<Coordinates[]> upright = [], level = [];
        for (var line = 0; line < lines; line++)
        {
            List<Coordinates> run = [];
            for (var i = 0; i <= pointsPerLine; i++)
            {
                var k = 2 * (line * pointsPerLine + i);
                if (i < pointsPerLine && points[k] - box.XMin > -reachX && points[k] - box.XMax < reachX
                    && points[k + 1] - box.YMin > -reachY && points[k + 1] - box.YMax < reachY)
                {
                    run.Add(new(points[k], points[k + 1]));
                    continue;
                }
                if (run.Count > 1) (isGrid && line < lines / 2 ? upright : level).Add([.. run]);
                run = [];
            }
        }
        Charts.AddLines(plot, level, isGrid ? Palette.Second : Palette.First, LevelWidth);
        Charts.AddLines(plot, upright, Palette.First, UprightWidth);
    }

    /// <summary>Widths of the lines of a grid: which are which is seen without colours too.</summary>
    public const float UprightWidth = 2, LevelWidth = 1.2f;
}
