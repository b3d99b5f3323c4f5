using ScottPlot;

namespace RealNvp.Plotting;

/// <summary>What the panels of a corner plot hold.</summary>
internal static class CornerPanels
{
    private static readonly double[] Shares = [0.5, 0.9];

    public static void AddMarginals(Plot plot, CornerRows data, CornerRows? samples, int feature, (double Low, double High) range, int bins)
    {
        var highest = AddOutline(plot, data.Columns[feature], range, bins, isData: true);
        if (samples is not null) highest = Math.Max(highest, AddOutline(plot, samples.Columns[feature], range, bins, isData: false));
        plot.Axes.SetLimits(range.Low, range.High, 0, highest > 0 ? 1.12 * highest : 1);
    }

    /// <summary>Adds points of the data and contours of both; whether there are any contours.</summary>
    public static bool AddPair(
        Plot plot, CornerRows data, CornerRows? samples, int x, int y, (double Low, double High) xRange, (double Low, double High) yRange,
            int points)
    {
        var ofData = MassContours.Of(data.Columns[x], data.Columns[y], xRange, yRange, Shares);
        Panels.AddPoints(plot, Some(data, x, y, points), Palette.First, ofData.Count > 0 ? 0.35 : 1);
        Charts.AddLines(plot, ofData, Palette.First, 2);
        if (samples is not null)
        {
            var ofSamples = MassContours.Of(samples.Columns[x], samples.Columns[y], xRange, yRange, Shares);
            if (ofSamples.Count > 0) Charts.AddLines(plot, ofSamples, Palette.Second, 2.2f, Palette.Dashed);
            else
            {
                // too few for contours, or on a line: the points themselves, through which those of the data are seen
                var some = Some(samples, x, y, points);
                plot.Add.Plottable(new Dots([.. some.Chunk(2).Select(p => new Coordinates(p[0], p[1]))], Palette.Second, 7, crosses: true));
            }
            ofData = [.. ofData, .. ofSamples];
        }
        plot.Axes.SetLimits(xRange.Low, xRange.High, yRange.Low, yRange.High);
        return ofData.Count > 0;
    }

    /// <summary>Points (x, y, x, y, ...) of rows, evenly chosen if they are many.</summary>
    private static double[] Some(CornerRows rows, int x, int y, int most)
    {
        var count = Math.Min(most, rows.Count);
        var points = new double[2 * count];
        for (var i = 0; i < count; i++)
        {
            var row = (int)((long)i * rows.Count / count);
            (points[2 * i], points[2 * i + 1]) = (rows.Columns[x][row], rows.Columns[y][row]);
        }
        return points;
    }

    private static double AddOutline(Plot plot, double[] values, (double Low, double High) range, int bins, bool isData)
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
        if (isData) Charts.AddArea(plot, outline, Palette.First.WithAlpha(0.3), Palette.First);
        else Charts.AddLine(plot, outline, Palette.Second, 2, Palette.Dashed);
        return shares.Max();
    }
}
