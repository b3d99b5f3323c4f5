using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Anomalies;

public class AnomalyDetectorTests
{
    private static readonly AnomalyOptions quick = new()
    {
        Columns = ["east", "north", "count", "unit"], Members = 2, Jitter = 0.02,
        Model = SplineFlowOptions.Tabular(3, 300) with { Layers = 4, Hidden = 32, Blocks = 1 },
        Training = new TrainingOptions { Epochs = 35, BatchSize = 64, LearningRate = 5e-3, Patience = 100 },
        CalibrationFraction = 0.4, Score = AnomalyScoreKind.Density,
    };

    private static readonly Lazy<AnomalyDetector> shared = new(() => AnomalyDetector.Fit(Rows(500, 1), quick));

    // a member that learns nothing: for what does not depend on the density
    private static readonly AnomalyOptions tiny = new()
    {
        Model = RealNvpOptions.Tabular(3) with { Hidden = 4, Layers = 2, Blocks = 1 }, Members = 2,
        Training = new TrainingOptions { Epochs = 1 },
    };

    [Fact]
    public void A_row_that_is_far_away_has_the_smallest_p_value_and_ordinary_rows_have_all_of_them()
    {
        var detector = shared.Value;
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
        var detector = shared.Value;
        var scores = detector.Score(Rows(3, 3));
        foreach (Action ask in new Action[] { () => scores.Detect(0.001), () => detector.Threshold(0.001) })
            ask.Should().Throw<ArgumentOutOfRangeException>().WithMessage("*199 rows*0.005*at least 999 rows*");
        FluentActions.Invoking(() => scores.Detect(0)).Should().Throw<ArgumentOutOfRangeException>()
            .WithMessage("*share of false alarms in (0, 1)*");
        scores.Detect(1.0 / 200).Should().HaveCount(3);
    }

    [Fact]
    public void Columns_are_looked_at()
    {
        var detector = shared.Value;
        detector.Columns.Select(c => (c.Name, c.Kind)).Should().Equal(("east", ColumnKind.Continuous), ("north", ColumnKind.Continuous),
            ("count", ColumnKind.Repeating), ("unit", ColumnKind.Constant));
        detector.Columns[2].Noise.Should().Be(1, "the counts are whole numbers");
        detector.Columns[3].Constant.Should().Be(5);
        detector.Notes.Should().HaveCount(2);
        detector.ToString().Should().Contain("unit").And.Contain("199 rows");
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
        var path = Path.Combine(Path.GetTempPath(), $"detector-{Guid.NewGuid():N}.safetensors");
        try
        {
            detector.Save(path);
            using (var third = AnomalyDetector.Load(path)) third.CalibrationRows.Should().Be(199);
            FluentActions.Invoking(() => FlowModel.Load(path)).Should().Throw<InvalidDataException>();
            File.AppendAllText(path, "more");
            FluentActions.Invoking(() => AnomalyDetector.Load(path)).Should().Throw<InvalidDataException>()
                .WithMessage("*4 bytes behind*");
            using (var model = new MafModel(MafOptions.Tabular(3))) model.Save(path);
            FluentActions.Invoking(() => AnomalyDetector.Load(path)).Should().Throw<InvalidDataException>()
                .WithMessage("*no file of a detector*");
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
        for (var i = 0; i < 60; i++)
        {
            var copy = (byte[])bytes.Clone();
            // the first part is the detector's own, and a model follows
            copy[random.Next(i % 2 == 0 ? 9000 : copy.Length)] ^= (byte)(1 << random.Next(8));
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
    public void A_file_of_format_1_gives_the_scores_that_it_gave()
    {
        using var detector = AnomalyDetector.Load(Repository.At("tests", "RealNvp.Tests", "Serialization", "Files",
            "detector-1.safetensors"));
        (detector.Kind, detector.Members, detector.CalibrationRows).Should().Be((AnomalyScoreKind.Latent, 2, 12));
        detector.Columns.Select(c => (c.Name, c.Kind, c.Noise, c.Constant)).Should().Equal(("east", ColumnKind.Continuous, 0, null),
            ("north", ColumnKind.Continuous, 0, null), ("count", ColumnKind.Repeating, 1, null), ("unit", ColumnKind.Constant, 0, 5));
        var scores = detector.Score(Rows(5, 2));
        double[] before = [5.365121, 3.920360, 4.262208, 3.765517, 4.627201], ranks = [1, 10, 5, 13, 3];
        scores.PValues.Should().Equal(ranks.Select(r => r / 13));
        for (var i = 0; i < 5; i++) scores.Scores[i].Should().BeApproximately(before[i], 1e-4);
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

    [Fact]
    public void A_detector_that_is_disposed_says_so()
    {
        var detector = AnomalyDetector.Fit(Rows(60, 1), tiny);
        detector.Dispose();
        foreach (Action use in new Action[] { () => detector.Score(Rows(3, 2)), () => detector.Explain([1, 0, 2, 5]),
            () => detector.Save(new MemoryStream()) })
            use.Should().Throw<ObjectDisposedException>();
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
        using var detector = AnomalyDetector.Fit(Rows(60, 1), tiny with { Score = AnomalyScoreKind.Typicality });
        detector.Score(Rows(3, 2));
        detector.Explain([1, 0, 2, 5]);
        detector.Save(new MemoryStream());
    }

    [Fact]
    public void The_same_seed_gives_the_same_detector()
    {
        double[] Scores(long seed)
        {
            using var detector = AnomalyDetector.Fit(Rows(100, 1), tiny with { Seed = seed });
            return [.. detector.Score(Rows(10, 2)).Scores];
        }
        Scores(3).Should().Equal(Scores(3)).And.NotEqual(Scores(4));
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
        var detector = shared.Value;
        double[] sizes = [1e3, 1e6, 1e12, 1e30, 1e38, 1e150, 1e300, double.MaxValue];
        foreach (var size in sizes)
        {
            var scores = detector.Score(new[,] { { size, 0, 2, 5 }, { 0, -size, 2, 5 }, { size, -size, size, 5 } });
            scores.PValues.Should().OnlyContain(p => p == detector.SmallestPValue, $"{size}");
            scores.Scores.Should().OnlyContain(s => !double.IsNaN(s));
        }
        detector.Explain([1e300, 0, 2, 5]).Should().HaveCount(4).And.OnlyContain(s => !double.IsNaN(s.Surprise));
    }

    [Theory]
    [InlineData(1, 30, 4)]
    [InlineData(1, 200, 4)]
    [InlineData(2, 30, 4)]
    [InlineData(300, 40, 1)]
    public void Few_rows_one_column_and_many_columns_are_taken(int columns, int count, int members)
    {
        var random = new Random(1);
        double[][] rows = [.. Enumerable.Range(0, count)
            .Select(_ => Enumerable.Range(0, columns).Select(_ => random.NextDouble()).ToArray())];
        using var detector = AnomalyDetector.Fit(rows, new AnomalyOptions { Training = new TrainingOptions { MaxSteps = 3 },
            Members = members });
        detector.Members.Should().Be(members);
        detector.Trainings.Should().HaveCount(members);
        detector.Score(rows).PValues.Should().OnlyContain(p => p > 0 && p <= 1);
        detector.Explain(rows[0]).Should().HaveCount(columns);
        using var stream = new MemoryStream();
        detector.Save(stream);
        stream.Position = 0;
        using var again = AnomalyDetector.Load(stream);
        again.Score(rows).Scores.Should().Equal(detector.Score(rows).Scores);
    }

    [Fact]
    public void Rows_that_are_all_alike_but_for_one_are_ties()
    {
        // 40 rows of two kinds: each score is shared, and p-values of ties are those of the largest
        var rows = Enumerable.Range(0, 40).Select(i => new double[] { i % 2, i % 2 }).ToArray();
        using var detector = AnomalyDetector.Fit(rows, new AnomalyOptions { Training = new TrainingOptions { MaxSteps = 3 } });
        detector.Columns.Should().OnlyContain(c => c.Kind == ColumnKind.Repeating && c.Noise == 1);
        detector.Score(rows).PValues.Distinct().Should().HaveCount(2).And.Contain(1);
    }

    [Fact]
    public void In_float64_by_default_the_detector_is_one_of_float64() => DefaultDtype.Run(float64, () =>
    {
        using var detector = AnomalyDetector.Fit(Rows(60, 1), tiny);
        using var stream = new MemoryStream();
        detector.Save(stream);
        stream.Position = 0;
        using var again = AnomalyDetector.Load(stream);
        again.Score(Rows(5, 2)).Scores.Should().Equal(detector.Score(Rows(5, 2)).Scores);
    });

    [Fact]
    public void A_detector_of_a_training_that_was_cancelled_or_out_of_time_is_usable()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();
        using (var cancelled = AnomalyDetector.Fit(Rows(60, 1), tiny, cancellationToken: source.Token))
        {
            cancelled.Trainings.Should().ContainSingle().Which.Reason.Should().Be(StopReason.Cancelled);
            cancelled.Score(Rows(3, 2)).Scores.Should().OnlyContain(s => double.IsFinite(s));
            FluentActions.Invoking(() => cancelled.Score(Rows(3, 2), cancellationToken: source.Token)).Should()
                .Throw<OperationCanceledException>();
        }
        using var late = AnomalyDetector.Fit(Rows(60, 1), tiny with { MaxDuration = TimeSpan.FromTicks(1),
            Training = new TrainingOptions { Epochs = 1_000_000, Patience = 1_000_000 } });
        late.Trainings.Should().ContainSingle().Which.Reason.Should().Be(StopReason.TimeLimit);
    }

    [Fact]
    public void Rows_that_were_kept_aside_decide_nothing_but_p_values()
    {
        // which rows are kept aside depends on the seed and their number alone, so the same members come of other values there
        var rows = Rows(60, 1);
        using var first = AnomalyDetector.Fit(rows, tiny);
        using var generator = new Generator(0);
        var aside = randperm(60, generator: generator).data<long>().ToArray()[..12];
        foreach (var row in aside) (rows[row, 0], rows[row, 2], rows[row, 3]) = (77, 0.5, 8);
        using var second = AnomalyDetector.Fit(rows, tiny);
        second.Columns.Should().Equal(first.Columns);
        second.Score(Rows(5, 2)).Scores.Should().Equal(first.Score(Rows(5, 2)).Scores);
        // all of these have another value in a column that is constant in training, so nothing is less ordinary than they are
        second.Score(Rows(5, 2)).PValues.Should().OnlyContain(p => p == 1);
        second.Threshold(0.5).Should().Be(double.NaN);
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
