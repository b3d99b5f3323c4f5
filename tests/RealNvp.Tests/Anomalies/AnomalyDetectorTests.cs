using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static RealNvp.Tests.Anomalies.AnomalyCases;
using static TorchSharp.torch;

namespace RealNvp.Tests.Anomalies;

/// <summary>From rows to a detector.</summary>
public class AnomalyDetectorTests
{
    [Fact]
    public void Columns_are_looked_at()
    {
        var detector = Shared;
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
    public void Bad_rows_are_refused_by_row_and_column()
    {
        var detector = Shared;
        FluentActions.Invoking(() => detector.Score(new[,] { { 1, 0, 2, 5.0 }, { 1, double.NaN, 2, 5 } })).Should()
            .Throw<ArgumentException>()
            .WithMessage("*row 1, column north is NaN*");
        FluentActions.Invoking(() => detector.Score(new[,] { { 1, 0.0 } })).Should().Throw<ArgumentException>()
            .WithMessage("*4 number(s)*");
        FluentActions.Invoking(() => detector.Explain([1, 2])).Should().Throw<ArgumentException>().WithMessage("*4 numbers; got 2*");
        var bad = Rows(50, 1);
        bad[30, 2] = double.PositiveInfinity;
        FluentActions.Invoking(() => AnomalyDetector.Fit(bad, Quick)).Should().Throw<ArgumentException>()
            .WithMessage("*row 30, column count is*");
        FluentActions.Invoking(() => AnomalyDetector.Fit(Rows(10, 1))).Should().Throw<ArgumentException>()
            .WithMessage("*at least 30 rows*");
        FluentActions.Invoking(() => AnomalyDetector.Fit(new double[40, 3])).Should().Throw<ArgumentException>().WithMessage("*constant*");
        FluentActions.Invoking(() => AnomalyDetector.Fit(Rows(50, 1), Quick with { Columns = ["a"] })).Should().Throw<ArgumentException>()
            .WithMessage("*1 name(s) for 4*");
        FluentActions.Invoking(() => AnomalyDetector.Fit(Rows(50, 1), Quick with { CalibrationFraction = 0 })).Should()
            .Throw<ArgumentException>().WithMessage("*(0, 0.9]*");
        FluentActions.Invoking(() => AnomalyDetector.Fit(Rows(50, 1), Quick with { Model = RealNvpOptions.Tabular(4) })).Should()
            .Throw<ArgumentException>().WithMessage("*(3,)*");
        FluentActions.Invoking(() => AnomalyDetector.Fit(new double[] { 1, 2 })).Should().Throw<ArgumentException>()
            .WithMessage("*how many columns*");
        using var images = new Flow([1, 2, 2], new Chain(new Permutation([1, 2, 2], [0])));
        FluentActions.Invoking(() => AnomalyDetector.Calibrate(images, new double[4])).Should().Throw<ArgumentException>()
            .WithMessage("*vectors*");
    }

    [Fact]
    public void The_same_seed_gives_the_same_detector()
    {
        double[] Scores(long seed)
        {
            using var detector = AnomalyDetector.Fit(Rows(100, 1), Tiny with { Seed = seed });
            return [.. detector.Score(Rows(10, 2)).Scores];
        }
        Scores(3).Should().Equal(Scores(3)).And.NotEqual(Scores(4));
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
    public void A_detector_of_a_training_that_was_cancelled_or_out_of_time_is_usable()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();
        using (var cancelled = AnomalyDetector.Fit(Rows(60, 1), Tiny, cancellationToken: source.Token))
        {
            cancelled.Trainings.Should().ContainSingle().Which.Reason.Should().Be(StopReason.Cancelled);
            cancelled.Score(Rows(3, 2)).Scores.Should().OnlyContain(s => double.IsFinite(s));
            FluentActions.Invoking(() => cancelled.Score(Rows(3, 2), cancellationToken: source.Token)).Should()
                .Throw<OperationCanceledException>();
        }
        using var late = AnomalyDetector.Fit(Rows(60, 1), Tiny with { MaxDuration = TimeSpan.FromTicks(1),
            Training = new TrainingOptions { Epochs = 1_000_000, Patience = 1_000_000 } });
        late.Trainings.Should().ContainSingle().Which.Reason.Should().Be(StopReason.TimeLimit);
        // flows that were asked for and are not there are no secret, in the file neither
        var note = $"1 of {Tiny.Members} members was trained: the time was over*";
        late.Notes.Should().ContainMatch(note);
        using var stream = new MemoryStream();
        late.Save(stream);
        stream.Position = 0;
        using var loaded = AnomalyDetector.Load(stream);
        loaded.ToString().Should().Be(late.ToString()).And.Match($"*{note}");
        using var whole = AnomalyDetector.Fit(Rows(60, 1), Tiny);
        whole.Notes.Should().NotContainMatch("*members*");
    }

    [Fact]
    public void Rows_that_were_kept_aside_decide_nothing_but_p_values()
    {
        // which rows are kept aside depends on the seed and their number alone, so the same members come of other values there
        var rows = Rows(60, 1);
        using var first = AnomalyDetector.Fit(rows, Tiny);
        using var generator = new Generator(0);
        var aside = randperm(60, generator: generator).data<long>().ToArray()[..12];
        foreach (var row in aside) (rows[row, 0], rows[row, 2], rows[row, 3]) = (77, 0.5, 8);
        using var second = AnomalyDetector.Fit(rows, Tiny);
        second.Columns.Should().Equal(first.Columns);
        second.Score(Rows(5, 2)).Scores.Should().Equal(first.Score(Rows(5, 2)).Scores);
        // all of these have another value in a column that is constant in training, so nothing is less ordinary than they are
        second.Score(Rows(5, 2)).PValues.Should().OnlyContain(p => p == 1);
        second.Threshold(0.5).Should().Be(double.NaN);
    }

    [Theory]
    [InlineData(1e-200)]
    [InlineData(1e-40)]
    [InlineData(1e40)]
    [InlineData(1e200)]
    public void A_unit_that_float32_cannot_hold_is_refused_by_the_name_of_the_column(double unit)
    {
        var rows = Rows(60, 1);
        for (var i = 0; i < 60; i++) rows[i, 1] *= unit;
        FluentActions.Invoking(() => AnomalyDetector.Fit(rows, Tiny with { Columns = ["east", "north", "count", "unit"] })).Should()
            .Throw<ArgumentException>().WithMessage("*column north has values from*another unit*");
    }

    [Theory]
    [InlineData(1e-30, 0)]
    [InlineData(1e30, 0)]
    [InlineData(1, 1.7e9)]
    public void Units_and_places_of_columns_change_no_score(double unit, double place)
    {
        double[,] In(double[,] rows)
        {
            var other = (double[,])rows.Clone();
            for (var i = 0; i < rows.GetLength(0); i++) other[i, 0] = (unit * rows[i, 0]) + place;
            return other;
        }
        using var one = AnomalyDetector.Fit(Rows(60, 1), Tiny);
        using var two = AnomalyDetector.Fit(In(Rows(60, 1)), Tiny);
        foreach (var (a, b) in one.Score(Rows(20, 2)).Scores.Zip(two.Score(In(Rows(20, 2))).Scores)) b.Should().BeApproximately(a, 1e-3);
    }

    [Fact]
    public void Names_that_cannot_be_told_apart_or_kept_are_refused()
    {
        foreach (var (names, word) in new (string[], string)[] { (["a", "b", "a", "c"], "*'a'*"),
            (["a", "b", "\ud800", "c"], "*surrogate*") })
            FluentActions.Invoking(() => AnomalyDetector.Fit(Rows(60, 1), Tiny with { Columns = names })).Should()
                .Throw<ArgumentException>().WithMessage(word);
    }
}
