using System.Globalization;
using ScottPlot;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>The two panels of a calibration picture, and what stands above all panels.</summary>
internal sealed class CalibrationPanels(CalibrationPlotOptions options, string unit)
{
    private const int TitleHeight = 42, LegendHeight = 32, Edge = 4;

    public static int HeadOf(CalibrationPlotOptions options) => (string.IsNullOrEmpty(options.Title) ? 6 : TitleHeight) + LegendHeight;

    public void Draw(SKCanvas canvas, IReadOnlyList<CalibrationSeries> all, int width)
    {
        using var text = new Text();
        if (!string.IsNullOrEmpty(options.Title))
            text.DrawFitted(canvas, options.Title, width / 2f, TitleHeight / 2f + 2, Charts.TitleSize, SKTextAlign.Center, width - 12);
        new Legend().Area($"observed ({all[0].Count.ToString(CultureInfo.InvariantCulture)})", Palette.First.WithAlpha(0.3), Palette.First)
            .Line("calibrated", Palette.Ink, Palette.Dashed, 1.8f)
            .Area(string.Create(CultureInfo.InvariantCulture, $"{100 * options.Confidence:0.##} % band of a calibrated model"),
                Palette.Band)
            .Draw(canvas, text, 6, width - 6, HeadOf(options) - LegendHeight, Charts.TextSize);
        for (var i = 0; i < all.Count; i++)
        {
            var (top, bottom) = (HeadOf(options) + i * options.PanelHeight + Edge, HeadOf(options) + (i + 1) * options.PanelHeight - Edge);
            using (var plot = Histogram(all[i]))
                Charts.Draw(canvas, plot, new PixelRect(Edge, options.PanelWidth - 2 * Edge, bottom, top),
                    Heading(text, all[i].Name, $"{all[i].BinsOutside} of {all[i].BinCounts.Count} bins outside the band"), null,
                        titleSize: Charts.TextSize + 1);
            using (var plot = Coverage(all[i]))
                Charts.Draw(canvas, plot, new PixelRect(options.PanelWidth + Edge, width - 2 * Edge, bottom, top),
                    Heading(text, all[i].Name, "coverage"), null, titleSize: Charts.TextSize + 1);
        }
    }

    private Plot Histogram(CalibrationSeries series)
    {
        var plot = Charts.New(unit, "observed / calibrated");
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
        Charts.AddArea(plot, [.. lower, .. Enumerable.Reverse(upper)], Palette.Band);
        Charts.AddArea(plot, outline, Palette.First.WithAlpha(0.3), Palette.First);
        Charts.AddLine(plot, [new(-1, 1), new(2, 1)], Palette.Ink, 1.5f, Palette.Dashed);
        plot.Axes.SetLimits(-0.02, 1.02, 0, 1.08 * highest);
        return plot;
    }

    private static Plot Coverage(CalibrationSeries series)
    {
        var plot = Charts.New("central interval of the prediction", "true values in it");
        var levels = Enumerable.Range(0, series.Nominal.Count).ToArray();
        Charts.AddArea(plot, [.. levels.Select(i => new Coordinates(series.Nominal[i], series.ActualBands[i].Low)),
            .. levels.Reverse().Select(i => new Coordinates(series.Nominal[i], series.ActualBands[i].High))], Palette.Band);
        Charts.AddLine(plot, [new(0, 0), new(1, 1)], Palette.Ink, 1.5f, Palette.Dashed);
        Charts.AddLine(plot, levels.Select(i => new Coordinates(series.Nominal[i], series.Actual[i])), Palette.First, 2.4f);
        plot.Axes.SetLimits(-0.02, 1.02, -0.02, 1.02);
        return plot;
    }

    /// <summary>The name, cut if it must be, and what was found in full.</summary>
    private string Heading(Text text, string name, string found)
    {
        if (name.Length == 0) return found;
        var room = options.PanelWidth - 40 - text.Width(": " + found, Charts.TextSize + 1);
        return $"{text.Fit(name, Charts.TextSize + 1, Math.Max(room, 60)).Text}: {found}";
    }

    public static string Name(CalibrationSeries series) => series.Name.Length == 0 ? "" : series.Name + ": ";

    private static void AddStep(List<Coordinates> line, double left, double right, double y)
    {
        line.Add(new(left, y));
        line.Add(new(right, y));
    }
}
