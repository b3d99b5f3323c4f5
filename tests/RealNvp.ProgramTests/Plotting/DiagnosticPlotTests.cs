using RealNvp.Plotting;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Plotting;

[LeavesNoTensors]
public class DiagnosticPlotTests
{
    /// <summary>A result of a normal density that is right about its own samples; of some features.</summary>
    internal static CalibrationResult Result(CalibrationKind kind, int features)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        ConditionalDensity normal = new((c, n, seed) =>
        {
            using var own = new Generator((ulong)seed);
            return randn([c.shape[0], n, features], generator: own);
        }, (t, _) => t.square().sum(1).mul(-0.5));
        var (theta, context) = (randn([200, features], generator: generator), zeros(200, 1));
        return kind switch
        {
            CalibrationKind.Sbc => Diagnostics.Sbc(normal, theta, context, draws: 19),
            CalibrationKind.Coverage => Diagnostics.Coverage(normal, theta, context, draws: 19),
            _ => Diagnostics.Tarp(normal, theta, context, draws: 19),
        };
    }

    [Theory, InlineData(CalibrationKind.Sbc), InlineData(CalibrationKind.Coverage), InlineData(CalibrationKind.Tarp)]
    public void A_calibration_is_drawn_and_says_in_words_what_the_result_says(CalibrationKind kind)
    {
        var result = Result(kind, 2);
        var picture = new DiagnosticPlot(result);
        picture.AltText.Should().Be(result.Words);
        Png.Decode(picture).Dispose();
        picture.Width.Should().Be(kind == CalibrationKind.Sbc ? 1200 : 400);
    }

    [Fact]
    public void Comparisons_of_samples_and_scores_are_drawn()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var (a, b) = (randn([60, 2], generator: generator), randn([50, 2], generator: generator));
        foreach (var result in new DiagnosticResult[] { Diagnostics.C2st(a, b), Diagnostics.Mmd(a, b), Diagnostics.SlicedWasserstein(a, b),
            Diagnostics.Crps(new ConditionalDensity((c, n) => c.unsqueeze(1).mul(randn([c.shape[0], n, 1], generator: generator))),
                a.narrow(1, 0, 1), a.narrow(1, 1, 1)),
            // nothing varies
            Diagnostics.Mmd(zeros(5, 1), zeros(5, 1)), Diagnostics.Crps(new ConditionalDensity((c, n) => zeros(c.shape[0], n, 1)),
                zeros(5, 1), zeros(5, 1)) })
        {
            var picture = new DiagnosticPlot(result, new() { Title = "A comparison" });
            picture.AltText.Should().Be("A comparison. " + result.Words);
            Png.Decode(picture).Dispose();
        }
    }

    [Fact]
    public void Of_many_quantities_the_oddest_are_shown()
    {
        var result = Result(CalibrationKind.Sbc, 6);
        result.Tests.Should().HaveCount(6 + 1 + 15);
        var (few, all) = (new DiagnosticPlot(result, new() { MaxPanels = 4 }), new DiagnosticPlot(result, new() { MaxPanels = 30 }));
        all.Height.Should().BeGreaterThan(3 * few.Height);
        var shown = few.ToSvg();
        var worst = result.Tests.OrderBy(t => t.PValue).Take(4).Select(t => t.Name);
        shown.Length.Should().BeLessThan(all.ToSvg().Length / 3);
        worst.Should().HaveCount(4);
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        var result = Result(CalibrationKind.Tarp, 2);
        FluentActions.Invoking(() => new DiagnosticPlot(result, new() { PanelWidth = 10 })).Should().Throw<ArgumentException>()
            .WithMessage("*10 x 320*");
        FluentActions.Invoking(() => new DiagnosticPlot(result, new() { MaxPanels = 0 })).Should().Throw<ArgumentException>()
            .WithMessage("MaxPanels is 0*");
        FluentActions.Invoking(() => new DiagnosticPlot(null!)).Should().Throw<ArgumentNullException>();
    }
}
