using RealNvp.Plotting;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Plotting;

public class RocCurveTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_area_is_the_share_of_pairs_that_are_in_order_and_half_of_the_ties(int seed)
    {
        var random = new Random(seed);
        var count = random.Next(2, 120);
        // few values, so that there are many ties; infinite ones too
        var scores = Enumerable.Range(0, count).Select(_ => (double)random.Next(12)).Select(s => s is 0 ? double.NegativeInfinity : s is 11
            ? double.PositiveInfinity : s).ToArray();
        var labels = Enumerable.Range(0, count).Select(i => i == 0 || (i > 1 && random.Next(3) == 0)).ToArray();
        var (won, pairs) = (0.0, 0);
        for (var p = 0; p < count; p++)
            for (var n = 0; n < count; n++)
                if (labels[p] && !labels[n])
                {
                    won += scores[p] > scores[n] ? 1 : scores[p] == scores[n] ? 0.5 : 0;
                    pairs++;
                }
        var series = new RocCurve(scores, labels).Series.Single();
        series.Area.Should().BeApproximately(won / pairs, 1e-15);

        var trapezoids = series.Points.Zip(series.Points.Skip(1), (a, b) => (b.FalsePositiveRate - a.FalsePositiveRate)
            * (a.TruePositiveRate + b.TruePositiveRate) / 2).Sum();
        trapezoids.Should().BeApproximately(series.Area, 1e-12, "the curve has the area that the legend says");
        series.Points[0].Should().Be((0, 0));
        series.Points[^1].Should().Be((1, 1));
        foreach (var (x, y) in series.Points.Skip(1).SkipLast(1))
            scores.Distinct().Should().Contain(t =>
                Math.Abs(labels.Zip(scores).Count(r => !r.First && r.Second >= t) / (double)labels.Count(l => !l) - x) < 1e-12
                && Math.Abs(labels.Zip(scores).Count(r => r.First && r.Second >= t) / (double)labels.Count(l => l) - y) < 1e-12);
    }

    [Fact]
    public void Perfect_opposite_and_constant_scores_have_the_areas_1_0_and_one_half()
    {
        var picture = new RocCurve(
            [("perfect", new[] { 1.0, 2, 3, 4 }), ("opposite", new[] { 4f, 3, 2, 1 }), ("constant", new[] { 7, 7, 7, 7 })],
                new[] { 0, 0, 1, 1 });
        picture.Series.Select(s => s.Area).Should().Equal(1, 0, 0.5);
        picture.Series.Select(s => s.Name).Should().Equal("perfect", "opposite", "constant");
        picture.AltText.Should().Contain("2 positive and 2 negative").And.Contain("perfect 1.000, opposite 0.000, constant 0.500");
    }

    [Fact]
    public void A_million_scores_are_counted_exactly_and_drawn()
    {
        var scores = Enumerable.Range(0, 1_000_000).Select(i => (double)(i * 7919L % 1_000_003)).ToArray();
        var labels = scores.Select(s => s >= 500_000).ToArray();
        var picture = new RocCurve(scores, labels);
        picture.Series[0].Area.Should().Be(1);
        Png.Decode(picture).Dispose();
    }

    [Fact]
    public void Tensors_and_arrays_give_one_picture()
    {
        using var scores = tensor(new[] { 0.1f, 0.5f, 0.5f, 0.75f });
        using var labels = tensor(new[] { false, true, false, true });
        var expected = new RocCurve(scores, labels).ToPng();
        new RocCurve(new[] { 0.1f, 0.5f, 0.5f, 0.75f }, new[] { 0, 1, 0, 1 }).ToPng().Should().Equal(expected);
        new RocCurve(new List<double> { 0.1f, 0.5, 0.5, 0.75 }, new long[] { 0, 1, 0, 1 }).ToPng().Should().Equal(expected);
        new RocCurve(new[] { 0.1f, 0.5, 0.5, 0.75 }, new byte[] { 0, 1, 0, 1 }).ToPng().Should().Equal(expected);
    }

    [Fact]
    public void Each_curve_is_drawn_in_its_own_colour()
    {
        var random = new Random(0);
        var labels = Enumerable.Range(0, 400).Select(i => i % 2).ToArray();
        var good = labels.Select(l => 2 * l + 2 * random.NextDouble()).ToArray();
        var bad = labels.Select(l => 0.1 * l + random.NextDouble()).ToArray();
        using var png = Png.Decode(new RocCurve([("good", good), ("bad", bad)], labels, new() { Title = "two" }));
        png.Count(c => c.Blue > 140 && c.Red < 80 && c.Green < 160).Should().BeGreaterThan(500);
        png.Count(c => c.Red > 190 && c.Green is > 70 and < 150 && c.Blue < 90).Should().BeGreaterThan(300);
        png.DarkPixels(200, 0, 420, 40).Should().BeGreaterThan(20, "the title");
    }

    [Fact]
    public void Wrong_scores_and_labels_are_refused()
    {
        double[] scores = [1, 2, 3];
        Refused(() => new RocCurve(scores, new[] { 0, 1 }), "*'scores' has 3 scores*2 labels*");
        Refused(() => new RocCurve(scores, new[] { 0, 0, 0 }), "labels holds 0 of 1 and 3 of 0*at least one of each*");
        Refused(() => new RocCurve(scores, new[] { true, true, true }), "labels holds 3 of 1 and 0 of 0*");
        Refused(() => new RocCurve(scores, new[] { 0, 2, 1 }), "labels holds 2 at index 1*");
        Refused(() => new RocCurve(new[] { 1, double.NaN, 3 }, new[] { 0, 1, 1 }, "flow"), "flow holds 1 of 3*NaN at flat index 1*");
        Refused(() => new RocCurve(Array.Empty<double>(), Array.Empty<int>()), "labels has shape (0,)*");
        Refused(() => new RocCurve(new[,] { { 1.0, 2 } }, new[] { 0, 1 }), "scores has shape (1, 2); expected (N)*");
        Refused(() => new RocCurve([], new[] { 0, 1 }), "scores holds 0 scores; expected 1 to 20*");
        Refused(() => new RocCurve(scores, new[] { 0, 1, 1 }, " "), "A score has no name*");
        Refused(() => new RocCurve(scores, new[] { 0, 1, 1 }, options: new() { Width = 10 }), "*10 x 580*");
        FluentActions.Invoking(() => new RocCurve((PlotData)null!, new[] { 0, 1 })).Should().Throw<ArgumentNullException>()
            .WithMessage("*'scores' are null*");
        FluentActions.Invoking(() => new RocCurve(scores, null!)).Should().Throw<ArgumentNullException>();
    }

    private static void Refused(Func<RocCurve> make, string message) => make.Should().Throw<ArgumentException>().WithMessage(message);
}
