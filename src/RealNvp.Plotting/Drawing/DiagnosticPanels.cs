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
            TwoSampleResult t => [new DiagnosticPanel($"{Name(t.Kind)}: {P(t.PValue)}", () => Permuted(t))],
            CrpsResult c => [new DiagnosticPanel($"CRPS of {c.Name}: {P(c.PValue)}", () => Scores(c))],
            _ => throw new ArgumentException($"There is no picture of a {result.GetType().Name}.", nameof(result)),
        };
    }

    public static Legend Legend(DiagnosticResult result) => result switch
    {
        TwoSampleResult => new Legend().Line("observed", Palette.First).Area("by chance", Palette.Band, Palette.Frame),
        CrpsResult => new Legend().Line("observed, ± 2 errors", Palette.First).Line("as expected", Palette.Ink, Palette.Dashed, 1.8f),
        _ => new Legend().Line("observed", Palette.First).Line("right", Palette.Ink, Palette.Dashed, 1.8f)
            .Area(string.Create(CultureInfo.InvariantCulture, $"{100 * (1 - result.Level):0.##} % band"), Palette.Band),
    };

    private static string Name(TwoSampleKind kind) => kind switch
    {
        TwoSampleKind.C2st => "C2ST", TwoSampleKind.Mmd => "MMD²", _ => "sliced Wasserstein",
    };

    // the statistics of permuted labels as a histogram, and what was observed
    private static Plot Permuted(TwoSampleResult result)
    {
        const int bins = 25;
        var plot = Charts.New(result.Kind switch
        {
            TwoSampleKind.C2st => "area under the curve", TwoSampleKind.Mmd => "MMD²", _ => "deviations",
        }, "permutations");
        var (low, high) = (result.Null.Min(), result.Null.Max());
        var width = high > low ? (high - low) / bins : Math.Max(Math.Abs(low), 1e-12) / bins;
        var counts = new int[bins];
        foreach (var value in result.Null) counts[Math.Clamp((int)((value - low) / width), 0, bins - 1)]++;
        List<Coordinates> outline = [new(low, 0)];
        for (var bin = 0; bin < bins; bin++)
            outline.AddRange([new(low + (bin * width), counts[bin]), new(low + ((bin + 1) * width), counts[bin])]);
        outline.Add(new(low + (bins * width), 0));
        Charts.AddArea(plot, outline, Palette.Band, Palette.Frame);
        double top = 1.08 * counts.Max();
        Charts.AddLine(plot, [new(result.Statistic, 0), new(result.Statistic, top)], Palette.First, 2.6f);
        var (left, right) = (Math.Min(low, result.Statistic), Math.Max(low + (bins * width), result.Statistic));
        plot.Axes.SetLimits(left - (0.05 * (right - left)), right + (0.05 * (right - left)), 0, top);
        return plot;
    }

    // groups of rows by what the density expects
    private static Plot Scores(CrpsResult result)
    {
        var plot = Charts.New("expected CRPS", "observed CRPS");
        Coordinates[] points = [.. result.GroupExpected.Zip(result.GroupObserved, (e, o) => new Coordinates(e, o))];
        var errors = result.GroupErrors.Select(e => double.IsFinite(e) ? 2 * e : 0).ToArray();
        var high = Math.Max(points.Max(p => p.X), points.Select((p, i) => p.Y + errors[i]).Max());
        var low = Math.Min(0, points.Select((p, i) => p.Y - errors[i]).Min());
        high = high > low ? high : low + 1;
        Charts.AddLine(plot, [new(0, 0), new(1.1 * high, 1.1 * high)], Palette.Ink, 1.5f, Palette.Dashed);
        for (var i = 0; i < points.Length; i++)
            Charts.AddLine(plot, [new(points[i].X, points[i].Y - errors[i]), new(points[i].X, points[i].Y + errors[i])], Palette.First,
                1.6f);
        Charts.AddLine(plot, points, Palette.First, 2.4f);
        plot.Axes.SetLimits(low, 1.08 * high, low, 1.08 * high);
        return plot;
    }

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
