using System.Globalization;
using ScottPlot;

namespace RealNvp.Plotting;

/// <summary>The panels of each kind of result.</summary>
internal static class DiagnosticPanels
{
    public static DiagnosticPanel[] Of(DiagnosticResult result, DiagnosticPlotOptions options)
    {
        ArgumentNullException.ThrowIfNull(result);
        return result switch
        {
            CalibrationResult c => [.. Shown(c.Tests, options.MaxPanels).Select(t => new DiagnosticPanel($"{t.Name}: {P(t.PValue)}",
                () => c.Kind is CalibrationKind.Coverage or CalibrationKind.Tarp ? Covered(t) : Difference(t, c.Kind)))],
            _ => throw new ArgumentException($"There is no picture of a {result.GetType().Name}.", nameof(result)),
        };
    }

    public static Legend Legend(DiagnosticResult result) => new Legend().Line("observed", Palette.First)
        .Line("right", Palette.Ink, Palette.Dashed, 1.8f)
        .Area(string.Create(CultureInfo.InvariantCulture, $"{100 * (1 - result.Level):0.##} % band, simultaneous"), Palette.Band);

    // the oddest ones if they are many, in their own order
    private static IEnumerable<UniformityTest> Shown(IReadOnlyList<UniformityTest> tests, int most) => tests.Count <= most ? tests
        : tests.Select((test, i) => (test, i)).OrderBy(t => t.test.PValue).Take(most).OrderBy(t => t.i).Select(t => t.test);

    private static string P(double pValue) => pValue < 1e-6 ? "p < 1e-6" : string.Create(CultureInfo.InvariantCulture, $"p = {pValue:G2}");

    private static Plot Difference(UniformityTest test, CalibrationKind kind)
    {
        var plot = Charts.New(kind == CalibrationKind.Pit && test.Draws == 0 ? "PIT value" : "rank / draws", "share below − uniform");
        double[] points = [0, .. test.Points, 1];
        Coordinates[] Line(IReadOnlyList<double> shares) =>
            [.. points.Select((p, i) => new Coordinates(p, (i == 0 ? 0 : i > shares.Count ? 1 : shares[i - 1]) - p))];
        var (lower, upper, observed) = (Line(test.Lower), Line(test.Upper), Line(test.Observed));
        Charts.AddArea(plot, [.. lower, .. upper.Reverse()], Palette.Band);
        Charts.AddLine(plot, [new(0, 0), new(1, 0)], Palette.Ink, 1.5f, Palette.Dashed);
        Charts.AddLine(plot, observed, Palette.First, 2.4f);
        var reach = 1.1 * new[] { lower, upper, observed }.Max(line => line.Max(c => Math.Abs(c.Y)));
        plot.Axes.SetLimits(-0.02, 1.02, -reach, reach);
        return plot;
    }

    private static Plot Covered(UniformityTest test)
    {
        var plot = Charts.New("probability of the region", "true values in it");
        double[] points = [0, .. test.Points, 1];
        Coordinates[] Line(IReadOnlyList<double> shares) => [.. points.Zip((double[])[0, .. shares, 1], (p, s) => new Coordinates(p, s))];
        Charts.AddArea(plot, [.. Line(test.Lower), .. Line(test.Upper).Reverse()], Palette.Band);
        Charts.AddLine(plot, [new(0, 0), new(1, 1)], Palette.Ink, 1.5f, Palette.Dashed);
        Charts.AddLine(plot, Line(test.Observed), Palette.First, 2.4f);
        plot.Axes.SetLimits(-0.02, 1.02, -0.02, 1.02);
        return plot;
    }
}
