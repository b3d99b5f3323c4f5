using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static RealNvp.Tests.Anomalies.AnomalyCases;
using static TorchSharp.torch;

namespace RealNvp.Tests.Anomalies;

/// <summary>Scores, p-values and explanations.</summary>
public class AnomalyScoreTests
{
    [Fact]
    public void A_row_that_is_far_away_has_the_smallest_p_value_and_ordinary_rows_have_all_of_them()
    {
        var detector = Shared;
        detector.CalibrationRows.Should().Be(199, "two fifths of 500, and one less, so that a percentage is met");
        var ordinary = detector.Score(Rows(400, 2));
        var odd = detector.Score(new[,] { { 9.0, 9, 2, 5 }, { 0, 0, 2, 5 }, { 1, 0, 2, 6 } });
        odd.PValues.Should().OnlyContain(p => p <= 2 * detector.SmallestPValue,
            "far away, in the middle of the ring, and another constant");
        odd.Scores[2].Should().Be(double.PositiveInfinity);
        odd.Detect(0.01).Should().OnlyContain(o => o);
        ordinary.PValues.Average().Should().BeInRange(0.42, 0.58, "p-values of ordinary rows are uniform");
        ordinary.PValues.Should().OnlyContain(p => p >= detector.SmallestPValue && p <= 1);
        ordinary.Detect(0.1).Count(o => o).Should().BeInRange(20, 65, "a tenth are false alarms");
    }

    [Fact]
    public void P_values_count_the_rows_of_the_calibration()
    {
        using var flow = new Flow([1], new Chain(new Permutation([1], [0])));
        flow.eval();
        // the scores of a standard normal rise with |x|
        using var detector = AnomalyDetector.Calibrate(flow, new double[,] { { 0 }, { 1 }, { -1 }, { 3 } });
        detector.Score(new double[,] { { 0 }, { 0.5 }, { 1 }, { 2 }, { 3 }, { 4 } }).PValues.Should().Equal(1, 0.8, 0.8, 0.4, 0.4, 0.2);
        detector.SmallestPValue.Should().Be(0.2);
        foreach (var alpha in new[] { 0.2, 0.4, 0.5, 0.8 })
            foreach (var x in new[] { 0, 0.5, 1, 2, 3, 4.0 })
            {
                var score = detector.Score(new[,] { { x } });
                score.Detect(alpha)[0].Should().Be(score.Scores[0] >= detector.Threshold(alpha), $"{alpha} at {x}");
            }
    }

    [Fact]
    public void So_few_false_alarms_that_the_calibration_cannot_tell_are_refused_with_the_smallest_share()
    {
        var detector = Shared;
        var scores = detector.Score(Rows(3, 3));
        foreach (Action ask in new Action[] { () => scores.Detect(0.001), () => detector.Threshold(0.001) })
            ask.Should().Throw<ArgumentOutOfRangeException>().WithMessage("*199 rows*0.005*at least 999 rows*");
        FluentActions.Invoking(() => scores.Detect(0)).Should().Throw<ArgumentOutOfRangeException>()
            .WithMessage("*share of false alarms in (0, 1)*");
        scores.Detect(1.0 / 200).Should().HaveCount(3);
    }

    [Fact]
    public void The_column_that_is_odd_beside_the_others_is_named_first()
    {
        var detector = Shared;
        // on the ring, but with a count that no row has
        var surprises = detector.Explain([1, 0, 40, 5]);
        surprises.Select(s => s.Column).Should().BeEquivalentTo("count", "east", "north", "unit");
        surprises[0].Column.Should().Be("count");
        surprises[0].Should().Match<FeatureSurprise>(s => s.TailProbability < 0.01 && s.Surprise > 3 && s.Expected < 10 && s.Gradient > 0);
        // an ordinary row has no such column
        detector.Explain([1, 0, 2, 5])[0].TailProbability.Should().BeGreaterThan(0.02);
        // another value in a constant column
        var constant = detector.Explain([1, 0, 2, 6])[0];
        (constant.Column, constant.Surprise, constant.TailProbability, constant.Expected).Should()
            .Be(("unit", double.PositiveInfinity, 0.0, 5.0));
    }

    [Fact]
    public void A_surprise_is_that_of_the_conditional_density()
    {
        // of a normal density with independent columns the conditional of each is itself
        using var flow = new Flow([2], new Chain(new Permutation([2], [1, 0])));
        flow.eval();
        using var generator = new Generator(3);
        using var ordinary = randn([2000, 2], dtype: float64, generator: generator);
        using var detector = AnomalyDetector.Calibrate(flow, ordinary.data<double>().ToArray());
        var first = detector.Explain([2, 0.1])[0];
        (first.Column, first.Value).Should().Be(("0", 2.0));
        first.Gradient.Should().BeApproximately(2, 1e-5);
        first.Surprise.Should().BeApproximately(2, 0.01, "the density is highest at 0");
        first.TailProbability.Should().BeApproximately(0.0455, 0.01, "two tails of the normal density");
    }

    [Fact]
    public void A_flow_of_whole_numbers_is_calibrated_too_and_scores_the_same_each_time()
    {
        using var flow = new NiceModel(new NiceOptions { Shape = [4], Levels = 17, Hidden = 8 }, seed: 2);
        flow.eval();
        var random = new Random(1);
        double[] Whole(int rows) => [.. Enumerable.Range(0, rows * 4).Select(_ => (double)random.Next(17))];
        using var detector = AnomalyDetector.Calibrate(flow, Whole(20));
        var row = Whole(5);
        detector.Score(row).Scores.Should().Equal(detector.Score(row).Scores).And.OnlyContain(s => double.IsFinite(s));
    }

    [Theory]
    [InlineData(AnomalyScoreKind.Density)]
    [InlineData(AnomalyScoreKind.Latent)]
    [InlineData(AnomalyScoreKind.Typicality)]
    public void A_score_is_what_its_kind_says_and_its_gradient_too(AnomalyScoreKind kind)
    {
        using var flow = new MafModel(MafOptions.Tabular(2) with { Hidden = 16, Layers = 2, Standardize = false }, seed: 3).to(float64);
        flow.eval();
        using var scope = NewDisposeScope();
        var x = tensor(new double[,] { { 0.3, -1 }, { 2, 0.5 } });
        var ordinary = Rows(60, 4).Cast<double>().Chunk(4).SelectMany(r => r.Take(2)).ToArray();
        using var detector = AnomalyDetector.Calibrate(flow, ordinary, score: kind);
        var logProb = flow.LogProb(x).data<double>().ToArray();
        var latent = flow.BaseDensity.LogProb(flow.Encode(x)).data<double>().ToArray();
        var mean = flow.LogProb(tensor(ordinary, [60, 2]).narrow(0, 0, 12)).mean().item<double>();
        var scores = detector.Score(x).Scores;
        for (var i = 0; i < 2; i++)
            scores[i].Should().BeApproximately(kind switch
            {
                AnomalyScoreKind.Density => -logProb[i],
                AnomalyScoreKind.Latent => -latent[i],
                _ => Math.Abs(mean - logProb[i]),
            }, 1e-12);
        detector.CalibrationRows.Should().Be(kind == AnomalyScoreKind.Typicality ? 48 : 60);
        foreach (var surprise in detector.Explain([0.3, -1]))
        {
            var c = int.Parse(surprise.Column, System.Globalization.CultureInfo.InvariantCulture);
            double At(double step)
            {
                double[] row = [0.3, -1];
                row[c] += step;
                return detector.Score(row).Scores[0];
            }
            surprise.Gradient.Should().BeApproximately((At(1e-5) - At(-1e-5)) / 2e-5, 1e-6);
            surprise.Surprise.Should().BeGreaterThanOrEqualTo(0);
        }
    }

    [Fact]
    public void Whitening_and_its_log_determinant_are_exact()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        var x = randn([500, 3], dtype: float64, generator: generator).mm(tensor(new double[,] { { 3, 1, 0 }, { 0, 2, 1 }, { 0, 0, 0.1 } }));
        var whitening = RealNvp.Anomalies.Whitening.Of(x + 5);
        var z = whitening.Apply(x + 5);
        (z.t().mm(z) / 500 - eye(3, dtype: float64)).abs().max().item<double>().Should().BeLessThan(0.01);
        z.mean([0]).abs().max().item<double>().Should().BeLessThan(1e-9);
        // the determinant by differences
        var at = tensor(new double[,] { { 5, 5, 5 } });
        var steps = eye(3, dtype: float64) * 1e-4;
        var jacobian = (whitening.Apply(at + steps) - whitening.Apply(at - steps)) / 2e-4;
        whitening.LogDet.Should().BeApproximately(linalg.slogdet(jacobian).Item2.item<double>(), 1e-8);
        // of log p of a detector, all else equal, a whitening is seen by nobody
        whitening.Apply(tensor(new double[,] { { 1e300, -1e300, 0 } })).isfinite().all().item<bool>().Should().BeTrue();
        // a column that is the sum of others has no inverse, and is no fault
        RealNvp.Anomalies.Whitening.Of(cat([x, x.sum(1, keepdim: true)], 1)).LogDet.Should().BeInRange(-100, 100);
    }

    [Fact]
    public void Rows_that_are_far_beyond_all_numbers_score_high_and_throw_nothing()
    {
        var detector = Shared;
        double[] sizes = [1e3, 1e6, 1e12, 1e30, 1e38, 1e150, 1e300, double.MaxValue];
        foreach (var size in sizes)
        {
            var scores = detector.Score(new[,] { { size, 0, 2, 5 }, { 0, -size, 2, 5 }, { size, -size, size, 5 } });
            scores.PValues.Should().OnlyContain(p => p == detector.SmallestPValue, $"{size}");
            scores.Scores.Should().OnlyContain(s => !double.IsNaN(s));
        }
        detector.Explain([1e300, 0, 2, 5]).Should().HaveCount(4).And.OnlyContain(s => !double.IsNaN(s.Surprise));
    }

    [Fact]
    public void False_alarms_are_as_many_as_they_should_be_over_many_splits()
    {
        // one flow, many draws of rows: the mean of the share of false alarms is k / (n + 1) with k the whole part of α (n + 1)
        using var flow = new Flow([1], new Chain(new Permutation([1], [0])));
        flow.eval();
        var random = new Random(5);
        const int splits = 400, n = 119, tests = 200;
        var alarms = 0;
        double[] Normal(int count) => [.. Enumerable.Range(0, count)
            .Select(_ => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()))];
        for (var split = 0; split < splits; split++)
        {
            using var detector = AnomalyDetector.Calibrate(flow, Normal(n));
            alarms += detector.Score(Normal(tests)).Detect(0.05).Count(o => o);
        }
        // its deviation over splits is that of the beta-binomial: 0.0013
        (alarms / (double)(splits * tests)).Should().BeApproximately(0.05, 4 * 0.0013);
    }

    [Fact]
    public void A_threshold_and_a_detection_agree_for_every_share()
    {
        var scores = Shared.Score(Rows(300, 4));
        foreach (var share in new[] { Shared.SmallestPValue, Shared.SmallestPValue * (1 - 1e-12), 0.01, 0.07, 0.29, 0.5, 1 - 1e-12 })
            scores.Detect(share).Should().Equal(scores.Scores.Select(s => s >= Shared.Threshold(share)), "{0}", share);
    }

    [Fact]
    public void Of_a_row_that_no_density_reaches_only_the_column_at_fault_is_odd()
    {
        var columns = Shared.Explain([1e300, 0, 2, 5]);
        columns[0].Column.Should().Be("east");
        columns[0].TailProbability.Should().Be(0);
        columns.Skip(1).Should().OnlyContain(c => c.TailProbability == 1 && c.Surprise == 0);
        columns.Should().OnlyContain(c => double.IsFinite(c.Gradient));
    }
}
