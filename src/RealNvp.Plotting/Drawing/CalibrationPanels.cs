using System.Globalization;
using ScottPlot;

namespace RealNvp.Plotting;

/// <summary>The two panels of a calibration picture.</summary>
internal static class CalibrationPanels
{
    public static Plot Histogram(CalibrationSeries series, string unit, CalibrationPlotOptions options)
    {
        var plot = NewPanel($"{Name(series)}{series.BinsOutside} of {series.BinCounts.Count} bins outside of the band", unit,
            "share, 1 if calibrated");
        List<Coordinates> lower = [], upper = [], outline = [new(0, 0)];
        var (left, highest) = (0.0, 1.0);
        for (var bin = 0; bin < series.BinCounts.Count; bin++)
        {
            var (p, band) = (series.BinProbabilities[bin], series.BinBands[bin]);
            var expected = series.Count * p;
            var right = left + p;
            AddStep(lower, left, right, band.Low / expected);
            AddStep(upper, left, right, band.High / expected);
            AddStep(outline, left, right, series.BinCounts[bin] / expected);
            highest = Math.Max(highest, Math.Max(band.High, series.BinCounts[bin]) / expected);
            left = right;
        }
        outline.Add(new(left, 0));
        AddBand(plot, lower, upper, options);
        var bars = plot.Add.Polygon(outline.ToArray());
        (bars.FillColor, bars.LineColor, bars.LineWidth) = (Palette.First.WithAlpha(0.3), Palette.First, 1.6f);
        bars.LegendText = $"observed ({series.Count.ToString(CultureInfo.InvariantCulture)})";
        plot.Add.HorizontalLine(1, 1.5f, Palette.Ink, LinePattern.Dashed);
        plot.Axes.SetLimits(-0.02, 1.02, 0, 1.4 * highest);
        plot.ShowLegend(Alignment.UpperRight, Orientation.Horizontal);
        return plot;
    }

    public static Plot Coverage(CalibrationSeries series, CalibrationPlotOptions options)
    {
        var plot = NewPanel($"{Name(series)}coverage", "probability of the central interval", "share of true values in it");
        var levels = Enumerable.Range(0, series.Nominal.Count).ToArray();
        AddBand(plot, [.. levels.Select(i => new Coordinates(series.Nominal[i], series.ActualBands[i].Low))],
            [.. levels.Select(i => new Coordinates(series.Nominal[i], series.ActualBands[i].High))], options);
        var ideal = plot.Add.ScatterLine((Coordinates[])[new Coordinates(0, 0), new Coordinates(1, 1)], Palette.Ink);
        (ideal.LineWidth, ideal.LinePattern) = (1.5f, LinePattern.Dashed);
        var curve = plot.Add.ScatterLine((Coordinates[])[.. levels.Select(i => new Coordinates(series.Nominal[i], series.Actual[i]))],
            Palette.First);
        curve.LineWidth = 2.4f;
        curve.LegendText = "observed";
        plot.Axes.SetLimits(-0.02, 1.02, -0.02, 1.02);
        plot.ShowLegend(Alignment.LowerRight);
        return plot;
    }

    private static Plot NewPanel(string title, string x, string y)
    {
        var plot = Charts.New(title, x, y);
        plot.Axes.Title.Label.FontSize = Charts.TextSize + 1;
        return plot;
    }

    public static string Name(CalibrationSeries series) => series.Name.Length == 0 ? "" : series.Name + ": ";

    private static void AddStep(List<Coordinates> line, double left, double right, double y)
    {
        line.Add(new(left, y));
        line.Add(new(right, y));
    }

    private static void AddBand(Plot plot, List<Coordinates> lower, List<Coordinates> upper, CalibrationPlotOptions options)
    {
        var band = plot.Add.Polygon([.. lower, .. Enumerable.Reverse(upper)]);
        (band.FillColor, band.LineWidth) = (Palette.Band, 0);
        band.LegendText = string.Create(CultureInfo.InvariantCulture, $"{100 * options.Confidence:0.##} % band");
    }
}
