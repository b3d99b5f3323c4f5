using System.Numerics;
using RealNvp.Plotting;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Plotting;

public class CalibrationPlotTests
{
    [Theory]
    [InlineData(1, 1, 2)]
    [InlineData(10, 1, 20)]
    [InlineData(37, 1, 3)]
    [InlineData(200, 1, 20)]
    [InlineData(200, 19, 20)]
    [InlineData(500, 49, 100)]
    public void A_band_is_that_of_exact_binomial_probabilities(int n, int numerator, int denominator)
    {
        // P(X = k) times denominator^n, in whole numbers
        var weights = new BigInteger[n + 1];
        var choose = BigInteger.One;
        for (var k = 0; k <= n; k++)
        {
            weights[k] = choose * BigInteger.Pow(numerator, k) * BigInteger.Pow(denominator - numerator, n - k);
            choose = choose * (n - k) / (k + 1);
        }
        var all = BigInteger.Pow(denominator, n);
        foreach (var (tailNumerator, tailDenominator) in new[] { (1, 200), (1, 20), (1, 4) })
        {
            var (low, high) = Binomial.Interval(n, (double)numerator / denominator, 1 - 2.0 * tailNumerator / tailDenominator);
            bool IsTail(IEnumerable<BigInteger> outside) =>
                outside.Aggregate(BigInteger.Zero, (a, b) => a + b) * tailDenominator <= all * tailNumerator;
            IsTail(weights.Take(low)).Should().BeTrue();
            IsTail(weights.Take(low + 1)).Should().BeFalse("a higher end would leave more");
            IsTail(weights.Skip(high + 1)).Should().BeTrue();
            IsTail(weights.Skip(high)).Should().BeFalse("a lower end would leave more");
        }
    }

    [Fact]
    public void A_band_of_a_million_trials_is_near_its_normal_limit_and_certain_counts_have_no_width()
    {
        var (low, high) = Binomial.Interval(1_000_000, 0.05, 0.99);
        low.Should().BeCloseTo((int)(50_000 - 2.5758 * Math.Sqrt(47_500)), 4);
        high.Should().BeCloseTo((int)(50_000 + 2.5758 * Math.Sqrt(47_500)), 4);
        Binomial.Interval(7, 0, 0.9).Should().Be((0, 0));
        Binomial.Interval(7, 1, 0.9).Should().Be((7, 7));
    }

    [Fact]
    public void PIT_values_are_counted_in_bins_and_in_central_intervals()
    {
        double[] pit = [0, 0.04, 0.26, 0.5, 0.5, 0.74, 0.95, 1];
        var series = new CalibrationPlot(pit, new() { Bins = 4 }).Series.Single();
        series.BinCounts.Should().Equal(2, 1, 3, 2);
        series.Count.Should().Be(8);
        for (var i = 0; i < series.Nominal.Count; i++)
            series.Actual[i].Should().Be(pit.Count(u => Math.Abs(2 * u - 1) <= series.Nominal[i] + 1e-9) / 8.0,
                $"of the central {series.Nominal[i]}");
        series.Nominal[^1].Should().Be(1);
        series.Actual[^1].Should().Be(1);
    }

    [Theory]
    [InlineData(99)]
    [InlineData(100)]
    [InlineData(4)]
    [InlineData(1)]
    [InlineData(1000)]
    public void All_ranks_once_are_perfectly_calibrated(int draws)
    {
        var series = CalibrationPlot.FromRanks(Enumerable.Range(0, draws + 1).ToArray(), draws).Series.Single();
        series.BinProbabilities.Sum().Should().BeApproximately(1, 1e-12);
        for (var bin = 0; bin < series.BinCounts.Count; bin++)
            series.BinCounts[bin].Should().Be((int)Math.Round(series.BinProbabilities[bin] * (draws + 1)));
        for (var i = 0; i < series.Nominal.Count; i++) series.Actual[i].Should().BeApproximately(series.Nominal[i], 1e-12);
        series.BinsOutside.Should().Be(0);
    }

    [Fact]
    public void Predictions_that_are_too_narrow_are_seen()
    {
        var random = new Random(0);
        var calibrated = Enumerable.Range(0, 2000).Select(_ => random.NextDouble()).ToArray();
        var narrow = calibrated.Select(u => u < 0.5 ? Math.Pow(2 * u, 2) / 2 : 1 - Math.Pow(2 - 2 * u, 2) / 2).ToArray();
        var picture = new CalibrationPlot(calibrated.Zip(narrow, (a, b) => new[] { a, b }).ToArray(),
            new() { Names = ["good", "narrow"], Title = "both" });
        picture.Series[0].BinsOutside.Should().BeLessThan(3);
        picture.Series[1].BinsOutside.Should().BeGreaterThan(5);
        Enumerable.Range(5, 40).Should().OnlyContain(i => picture.Series[1].Actual[i] < picture.Series[1].ActualBands[i].Low);
        picture.Height.Should().BeInRange(2 * 330 + 60, 2 * 330 + 100);
        picture.AltText.Should().StartWith("both. Calibration. good: ").And.Contain("narrow: ");
        using var png = Png.Decode(picture);
        png.Count(c => c.Blue > 140 && c.Red < 80).Should().BeGreaterThan(2000);
    }

    [Fact]
    public void Ranks_of_a_flow_are_those_of_its_samples()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(3), seed: 1);
        using var x = flow.Sample(200, seed: 5);
        using var far = x.mul(4);
        CalibrationPlot picture = null!;
        LiveTensors.ChangeOver(() => picture = new CalibrationPlot(flow, x, draws: 19, seed: 3)).Should().Be(0);
        picture.Series.Should().HaveCount(3);
        picture.Series.Should().OnlyContain(s => s.Count == 200 && s.BinsOutside <= 1);
        picture.ToPng().Should().Equal(new CalibrationPlot(flow, x, draws: 19, seed: 3).ToPng(), "a seed repeats");
        new CalibrationPlot(flow, far, draws: 19, seed: 3).Series.Should().OnlyContain(s => s.BinsOutside > 2);
        FluentActions.Invoking(() => new CalibrationPlot(flow, x.narrow(1, 0, 2))).Should().Throw<ArgumentException>()
            .WithMessage("x has shape (200, 2)*shape (3,)*");
    }

    [Fact]
    public void Each_row_of_a_conditional_flow_is_compared_with_draws_under_its_own_context()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(2) with { ContextSize = 1 }, seed: 1);
        using var context = linspace(-2, 2, 150).reshape(-1, 1);
        using var x = flow.Sample(1, context, seed: 5).squeeze(1);
        new CalibrationPlot(flow, x, context, draws: 19, seed: 3).Series.Should().OnlyContain(s => s.BinsOutside <= 1);
        using var wrong = context.narrow(0, 0, 3);
        FluentActions.Invoking(() => new CalibrationPlot(flow, x, wrong)).Should().Throw<ArgumentException>()
            .WithMessage("context has shape (3, 1)*150 rows*");
        using var wide = new RealNvpModel(RealNvpOptions.Tabular(13), seed: 1);
        FluentActions.Invoking(() => new CalibrationPlot(wide, new double[2, 13])).Should().Throw<ArgumentException>()
            .WithMessage("The flow has examples of 13 numbers; expected at most 12*");
    }

    [Fact]
    public void Wrong_values_are_refused()
    {
        Refused(() => new CalibrationPlot(new[] { 0.5, 1.5 }), "pit holds 1.5; expected probabilities*FromRanks*");
        Refused(() => new CalibrationPlot(new[] { 0.5, double.NaN }), "pit holds 1 of 2*NaN*");
        Refused(() => new CalibrationPlot(Array.Empty<float>()), "pit has shape (0,)*");
        Refused(() => new CalibrationPlot(new double[3, 200]), "pit has 200 columns; expected at most 12*Choose*");
        Refused(() => new CalibrationPlot(new[] { 0.5 }, new() { Names = ["a", "b"] }), "Names holds 2 names, but there are 1 columns*");
        Refused(() => new CalibrationPlot(new[] { 0.5 }, new() { Bins = 1 }), "Bins is 1*");
        Refused(() => new CalibrationPlot(new[] { 0.5 }, new() { Confidence = 99 }), "Confidence is 99*");
        Refused(() => new CalibrationPlot(new[] { 0.5 }, new() { PanelWidth = 10 }), "*10 x 330*");
        Refused(() => CalibrationPlot.FromRanks(new[] { 0, 11 }, 10), "ranks holds 11; expected whole numbers from 0 to draws = 10*");
        Refused(() => CalibrationPlot.FromRanks(new[] { 0.5 }, 10), "ranks holds 0.5*");
        Refused(() => CalibrationPlot.FromRanks(new[] { 0 }, 0), "draws is 0*");
        Png.Decode(new CalibrationPlot(new[] { 0.3 })).Dispose();
    }

    private static void Refused(Func<CalibrationPlot> make, string message) =>
        make.Should().Throw<ArgumentException>().WithMessage(message);
}
