using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Anomalies;

public class AnomalyDetectorTests
{
    private static readonly AnomalyOptions quick = new()
    {
        Columns = ["east", "north", "count", "unit"], Model = SplineFlowOptions.Tabular(3, 300),
            Training = new TrainingOptions { Epochs = 100, BatchSize = 64, LearningRate = 5e-3, Patience = 100 },
        CalibrationFraction = 0.4,
    };

    private static readonly Lazy<AnomalyDetector> shared = new(() => AnomalyDetector.Fit(Rows(500, 1), quick));

    [Fact]
    public void A_row_that_is_far_away_has_the_smallest_p_value_and_ordinary_rows_have_all_of_them()
    {
        var detector = shared.Value;
        detector.CalibrationRows.Should().Be(200);
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
        var detector = shared.Value;
        var scores = detector.Score(Rows(3, 3));
        foreach (Action ask in new Action[] { () => scores.Detect(0.001), () => detector.Threshold(0.001) })
            ask.Should().Throw<ArgumentOutOfRangeException>().WithMessage("*200 rows*0.00498*at least 999 rows*");
        FluentActions.Invoking(() => scores.Detect(0)).Should().Throw<ArgumentOutOfRangeException>()
            .WithMessage("*share of false alarms in (0, 1)*");
        scores.Detect(1.0 / 201).Should().HaveCount(3);
    }

    [Fact]
    public void Columns_are_looked_at()
    {
        var detector = shared.Value;
        detector.Columns.Select(c => (c.Name, c.Kind)).Should().Equal(("east", ColumnKind.Continuous), ("north", ColumnKind.Continuous),
            ("count", ColumnKind.Repeating), ("unit", ColumnKind.Constant));
        detector.Columns[2].Noise.Should().Be(1, "the counts are whole numbers");
        detector.Columns[3].Constant.Should().Be(5);
        detector.Flow.InputShape.Should().Equal(3);
        detector.Notes.Should().HaveCount(2);
        detector.ToString().Should().Contain("unit").And.Contain("200 rows");
        // most are zero, and the rest are never the same: noise of half a percent of the deviation
        var random = new Random(1);
        var atom = AnomalyColumn.Of("a", [.. Enumerable.Range(0, 1000).Select(i => i % 3 == 0 ? random.NextDouble() : 0)]);
        atom.Kind.Should().Be(ColumnKind.Repeating);
        atom.Noise.Should().BeInRange(0.0005, 0.005);
        AnomalyColumn.Of("rounded", [.. Enumerable.Range(0, 1000).Select(_ => Math.Round(random.NextDouble(), 2))]).Noise.Should()
            .BeApproximately(0.01, 1e-9);
    }

    [Fact]
    public void The_column_that_is_odd_beside_the_others_is_named_first()
    {
        var detector = shared.Value;
        // on the ring, but with a count that no row has
        var surprises = detector.Explain([1, 0, 40, 5]);
        surprises.Select(s => s.Column).Should().BeEquivalentTo("count", "east", "north");
        surprises[0].Column.Should().Be("count");
        surprises[0].Should().Match<FeatureSurprise>(s => s.TailProbability < 0.01 && s.Surprise > 3 && s.Expected < 10 && s.Gradient > 0);
        // an ordinary row has no such column
        detector.Explain([1, 0, 2, 5])[0].TailProbability.Should().BeGreaterThan(0.02);
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
    public void A_file_holds_all_of_it()
    {
        var detector = shared.Value;
        var rows = Rows(20, 5);
        using var stream = new MemoryStream();
        detector.Save(stream);
        stream.Position = 0;
        using (var again = AnomalyDetector.Load(stream))
        {
            stream.Position.Should().Be(stream.Length);
            again.Score(rows).Scores.Should().Equal(detector.Score(rows).Scores);
            again.Score(rows).PValues.Should().Equal(detector.Score(rows).PValues);
            again.Columns.Should().Equal(detector.Columns);
            again.Explain([1, 0, 40, 5]).Should().Equal(detector.Explain([1, 0, 40, 5]));
            using var second = new MemoryStream();
            again.Save(second);
            second.ToArray().Should().Equal(stream.ToArray());
        }
        // the model alone is there too
        stream.Position = 0;
        using (var model = FlowModel.Load(stream)) model.Info.Columns.Should().Equal("east", "north", "count");
        var path = Path.Combine(Path.GetTempPath(), $"detector-{Guid.NewGuid():N}.safetensors");
        try
        {
            detector.Save(path);
            using (var third = AnomalyDetector.Load(path)) third.CalibrationRows.Should().Be(200);
            ((FlowModel)detector.Flow).Save(path);
            FluentActions.Invoking(() => AnomalyDetector.Load(path)).Should().Throw<InvalidDataException>();
        }
        finally { File.Delete(path); }
    }

    [Fact]
    public void A_damaged_file_gives_an_error_and_no_detector()
    {
        using var stream = new MemoryStream();
        shared.Value.Save(stream);
        var bytes = stream.ToArray();
        foreach (var length in new[] { 0, 7, 100, bytes.Length / 2, bytes.Length - 1 })
            FluentActions.Invoking(() => AnomalyDetector.Load(new MemoryStream(bytes, 0, length))).Should().Throw<InvalidDataException>();
        var random = new Random(2);
        for (var i = 0; i < 40; i++)
        {
            var copy = (byte[])bytes.Clone();
            // the last part is the detector's own
            copy[copy.Length - 1 - random.Next(Math.Min(copy.Length, 9000))] ^= (byte)(1 << random.Next(8));
            FluentActions.Invoking(() => AnomalyDetector.Load(new MemoryStream(copy))).Should().Throw<InvalidDataException>();
        }
    }

    [Fact]
    public void Bad_rows_are_refused_by_row_and_column()
    {
        var detector = shared.Value;
        FluentActions.Invoking(() => detector.Score(new[,] { { 1, 0, 2, 5.0 }, { 1, double.NaN, 2, 5 } })).Should()
            .Throw<ArgumentException>()
            .WithMessage("*row 1, column north is NaN*");
        FluentActions.Invoking(() => detector.Score(new[,] { { 1, 0.0 } })).Should().Throw<ArgumentException>()
            .WithMessage("*4 number(s)*");
        FluentActions.Invoking(() => detector.Explain([1, 2])).Should().Throw<ArgumentException>().WithMessage("*4 numbers; got 2*");
        var bad = Rows(50, 1);
        bad[30, 2] = double.PositiveInfinity;
        FluentActions.Invoking(() => AnomalyDetector.Fit(bad, quick)).Should().Throw<ArgumentException>()
            .WithMessage("*row 30, column count is*");
        FluentActions.Invoking(() => AnomalyDetector.Fit(Rows(10, 1))).Should().Throw<ArgumentException>()
            .WithMessage("*at least 30 rows*");
        FluentActions.Invoking(() => AnomalyDetector.Fit(new double[40, 3])).Should().Throw<ArgumentException>().WithMessage("*constant*");
        FluentActions.Invoking(() => AnomalyDetector.Fit(Rows(50, 1), quick with { Columns = ["a"] })).Should().Throw<ArgumentException>()
            .WithMessage("*1 name(s) for 4*");
        FluentActions.Invoking(() => AnomalyDetector.Fit(Rows(50, 1), quick with { CalibrationFraction = 0 })).Should()
            .Throw<ArgumentException>().WithMessage("*(0, 0.9]*");
        FluentActions.Invoking(() => AnomalyDetector.Fit(Rows(50, 1), quick with { Model = RealNvpOptions.Tabular(4) })).Should()
            .Throw<ArgumentException>().WithMessage("*(3,)*");
        FluentActions.Invoking(() => AnomalyDetector.Fit(new double[] { 1, 2 })).Should().Throw<ArgumentException>()
            .WithMessage("*how many columns*");
        using var images = new Flow([1, 2, 2], new Chain(new Permutation([1, 2, 2], [0])));
        FluentActions.Invoking(() => AnomalyDetector.Calibrate(images, new double[4])).Should().Throw<ArgumentException>()
            .WithMessage("*vectors*");
    }

    [Fact]
    public void A_flow_that_was_composed_by_hand_has_no_file()
    {
        using var flow = new Flow([1], new Chain(new Permutation([1], [0])));
        flow.eval();
        using var detector = AnomalyDetector.Calibrate(flow, new double[] { 1, 2, 3 });
        FluentActions.Invoking(() => detector.Save(new MemoryStream())).Should().Throw<InvalidOperationException>()
            .WithMessage("*SaveWeights*");
        detector.Dispose();
        flow.LogProb(new double[] { 1 }).Should().HaveCount(1, "the flow is the caller's");
    }

    [Fact]
    public void Several_threads_score_alike()
    {
        var detector = shared.Value;
        var rows = Rows(50, 9);
        var expected = detector.Score(rows).Scores;
        var results = new IReadOnlyList<double>[4];
        var threads = Enumerable.Range(0, 4).Select(i => new Thread(() => results[i] = detector.Score(rows).Scores)).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        results.Should().AllSatisfy(r => r.Should().Equal(expected));
    }

    [Fact]
    [LeavesNoTensors]
    public void A_detector_that_is_disposed_leaves_nothing()
    {
        using var detector = AnomalyDetector.Fit(Rows(60, 1), quick with { Training = new TrainingOptions { Epochs = 1 } });
        detector.Score(Rows(3, 2));
        detector.Explain([1, 0, 2, 5]);
        detector.Save(new MemoryStream());
    }

    [Fact]
    public void The_same_seed_gives_the_same_detector()
    {
        using var a = AnomalyDetector.Fit(Rows(100, 1),
            quick with { Training = null, Seed = 3, Model = RealNvpOptions.Tabular(3) with { Hidden = 8, Layers = 2 } });
        using var b = AnomalyDetector.Fit(Rows(100, 1),
            quick with { Training = null, Seed = 3, Model = RealNvpOptions.Tabular(3) with { Hidden = 8, Layers = 2 } });
        a.Score(Rows(10, 2)).Scores.Should().Equal(b.Score(Rows(10, 2)).Scores);
    }

    // a ring, whole numbers, and a constant
    private static double[,] Rows(int count, int seed)
    {
        var random = new Random(seed);
        var rows = new double[count, 4];
        for (var i = 0; i < count; i++)
        {
            var angle = 2 * Math.PI * random.NextDouble();
            rows[i, 0] = Math.Cos(angle) + (0.1 * (random.NextDouble() - 0.5));
            rows[i, 1] = Math.Sin(angle) + (0.1 * (random.NextDouble() - 0.5));
            rows[i, 2] = random.Next(5);
            rows[i, 3] = 5;
        }
        return rows;
    }
}
