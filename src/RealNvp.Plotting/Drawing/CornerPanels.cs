using ScottPlot;

namespace RealNvp.Plotting;

/// <summary>What the panels of a corner plot hold.</summary>
internal static class CornerPanels
{
    public static void AddMarginals(Plot plot, CornerRows data, CornerRows? samples, int feature, (double Low, double High) range, int bins)
    {
        var highest = AddOutline(plot, data.Columns[feature], range, bins, Palette.First, fill: true);
        if (samples is not null)
            highest = Math.Max(highest, AddOutline(plot, samples.Columns[feature], range, bins, Palette.Second, fill: false));
        plot.Axes.SetLimits(range.Low, range.High, 0, highest > 0 ? 1.12 * highest : 1);
    }

    public static void AddPair(
        Plot plot, CornerRows data, CornerRows? samples, int x, int y, (double Low, double High) xRange, (double Low, double High) yRange,
            int points)
    {
        var count = Math.Min(points, data.Count);
        var shown = new double[2 * count];
        for (var i = 0; i < count; i++)
        {
            var row = (int)((long)i * data.Count / count);
            (shown[2 * i], shown[2 * i + 1]) = (data.Columns[x][row], data.Columns[y][row]);
        }
        Panels.AddPoints(plot, shown, Palette.First, 0.35);
        AddContours(plot, data, Palette.First, LinePattern.Solid);
        if (samples is not null && !AddContours(plot, samples, Palette.Second, LinePattern.Dashed))
        {
            // too few for contours: the points themselves
            var few = samples.Columns[x].Zip(samples.Columns[y], (a, b) => new[] { a, b }).Take(points).SelectMany(p => p).ToArray();
            Panels.AddPoints(plot, few, Palette.Second);
        }
        plot.Axes.SetLimits(xRange.Low, xRange.High, yRange.Low, yRange.High);

        bool AddContours(Plot target, CornerRows rows, Color color, LinePattern pattern)
        {
            var lines = MassContours.Of(rows.Columns[x], rows.Columns[y], xRange, yRange, [0.5, 0.9]);
            foreach (var points in lines)
            {
                var line = target.Add.ScatterLine(points, color);
                (line.LineWidth, line.LinePattern) = (1.8f, pattern);
            }
            return lines.Count > 0;
        }
    }

    private static double AddOutline(Plot plot, double[] values, (double Low, double High) range, int bins, Color color, bool fill)
    {
        var width = (range.High - range.Low) / bins;
        var shares = new double[bins];
        foreach (var value in values)
            if (value >= range.Low && value <= range.High)
                shares[Math.Min((int)((value - range.Low) / width), bins - 1)] += 1.0 / values.Length;
        List<Coordinates> outline = [new(range.Low, 0)];
        for (var bin = 0; bin < bins; bin++)
        {
            outline.Add(new(range.Low + bin * width, shares[bin]));
            outline.Add(new(range.Low + (bin + 1) * width, shares[bin]));
        }
        outline.Add(new(range.High, 0));
        if (fill)
        {
            var area = plot.Add.Polygon(outline.ToArray());
            (area.FillColor, area.LineColor, area.LineWidth) = (color.WithAlpha(0.3), color, 1.4f);
        }
        else
        {
            var line = plot.Add.ScatterLine(outline.ToArray(), color);
            (line.LineWidth, line.LinePattern) = (1.8f, LinePattern.Dashed);
        }
        return shares.Max();
    }
}
