using System.Globalization;
using RealNvp.Tables;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Tables;

/// <summary>Columns of any unit, far from 0, with values that are close to each other or repeat.</summary>
public class TableUnitTests
{
    private static readonly TableFlowOptions quick = new() { Training = new TrainingOptions { Epochs = 4, LearningRate = 2e-3 } };

    [Theory]
    [InlineData(1e-200, 0)]
    [InlineData(1e-12, 0)]
    [InlineData(1e-3, 1e9)]
    [InlineData(0.25, 1.7e9)]
    [InlineData(1, 1e12)]
    [InlineData(1e40, 0)]
    [InlineData(1e200, 0)]
    public void Numbers_are_not_called_whole_because_they_are_small_or_far_from_0(double unit, double place)
    {
        var x = Normals(300, 1);
        TableSchema.Propose(Table.FromColumns(("x", Array.ConvertAll(x, v => place + (unit * v)))))["x"].Kind.Should()
            .Be(TableColumnKind.Number);
        // the same density in another unit
        double[] Scores(double u, double p)
        {
            using var flow = TableFlow.Fit(Table.FromColumns(("x", Array.ConvertAll(x, v => p + (u * v)))),
                TableSchema.Of(ColumnSchema.Number("x")), quick);
            return flow.LogProb(Table.FromColumns(("x", Array.ConvertAll(x[..20], v => p + (u * v)))));
        }
        foreach (var (a, b) in Scores(1, 0).Zip(Scores(unit, place))) (b + Math.Log(unit)).Should().BeApproximately(a, 1e-2);
    }

    [Theory]
    [InlineData(0.1, 3.0000000000000004, true)]
    [InlineData(1, 1e-12, false)]
    [InlineData(1, 1700000000.25, false)]
    [InlineData(0.1, 0.30000000000000004, true)]
    [InlineData(0.3, 0.9, true)]
    [InlineData(1, 0, true)]
    [InlineData(1, 1e17, true)]
    public void A_multiple_of_a_step_is_one_but_for_its_last_digits(double step, double value, bool isMultiple) =>
        ColumnValues.IsMultiple(value, step).Should().Be(isMultiple);

    [Fact]
    public void The_probability_of_a_whole_number_is_right_where_float32_has_no_digits_between_the_edges()
    {
        // uniform in 0 to 8 million: each has a probability of some 1e-7
        var random = new Random(1);
        double[] values = [.. Enumerable.Range(0, 400).Select(_ => (double)random.Next(8_000_000))];
        using var whole = TableFlow.Fit(Table.FromColumns(("x", values)), TableSchema.Of(ColumnSchema.Whole("x")), quick);
        using var number = TableFlow.Fit(Table.FromColumns(("x", values)), TableSchema.Of(ColumnSchema.Number("x")), quick);
        var some = Table.FromColumns(("x", new double[] { 1, 4_000_000, 4_000_001, 7_999_999, 16_000_000 }));
        foreach (var (a, b) in whole.LogProb(some).Zip(number.LogProb(some))) a.Should().BeApproximately(b, 0.02);
        // with heavy tails, cells far out are narrow too
        double[] heavy = [.. Normals(800, 3).Select(v => Math.Round(Math.Exp(3 * v) * 100))];
        using var tails = TableFlow.Fit(Table.FromColumns(("x", heavy)), TableSchema.Of(ColumnSchema.Whole("x", heavyTails: true)), quick);
        var far = tails.LogProb(Table.FromColumns(("x", new double[] { 1_000_000, 1_000_001, 4_000_000, 4_000_001 })));
        far[1].Should().BeApproximately(far[0], 1e-3);
        far[3].Should().BeApproximately(far[2], 1e-3);
        far[2].Should().BeLessThan(far[0]).And.BeGreaterThan(far[0] - 10);
    }

    [Fact]
    public void Values_that_float32_does_not_tell_apart_have_probabilities_of_their_own()
    {
        var random = new Random(1);
        double[] values = [.. Normals(500, 2).Select(v => random.Next(6) switch { 0 => 1, 1 => 1 + 1e-12, _ => 1e3 * v })];
        var table = Table.FromColumns(("x", values));
        using var flow = TableFlow.Fit(table, TableSchema.Of(ColumnSchema.Number("x")), quick);
        flow.Schema["x"].Atoms.Should().Equal(1, 1 + 1e-12);
        flow.LogProb(table).Should().OnlyContain(l => double.IsFinite(l));
        flow.Sample(300, seed: 1)["x"].ToNumbers().Should().Contain(1).And.Contain(1 + 1e-12);
    }

    [Fact]
    public void Numbers_that_repeat_are_levels_or_there_is_a_note()
    {
        var random = new Random(1);
        double[] thirds = [.. Enumerable.Range(0, 500).Select(_ => random.Next(30) / 3.0)];
        TableSchema.Propose(Table.FromColumns(("x", thirds)))["x"].Kind.Should().Be(TableColumnKind.Levels);
        double[] many = [.. Enumerable.Range(0, 500).Select(_ => random.Next(200) / 3.0)];
        var schema = TableSchema.Propose(Table.FromColumns(("x", many)));
        schema["x"].Kind.Should().Be(TableColumnKind.Number);
        schema.Notes.Should().ContainSingle().Which.Should().Contain("'x'").And.Contain("Whole");
        // one value far out does not make whole numbers continuous
        double[] outlier = [.. Enumerable.Range(0, 800).Select(i => i == 7 ? 9_000_001.0 : random.Next(400))];
        TableSchema.Propose(Table.FromColumns(("x", outlier)))["x"].Kind.Should().Be(TableColumnKind.Whole);
    }

    [Fact]
    public void What_cannot_be_described_so_is_refused_by_name()
    {
        var x = Normals(50, 1);
        foreach (var (column, schema, word) in new (TableColumn, Func<ColumnSchema>, string)[]
        {
            (Array.ConvertAll(x, v => 5e307 * v), () => ColumnSchema.Number("x"), "*'x'*another unit*"),
            (Array.ConvertAll(x, v => Math.Round(1e9 * v)), () => ColumnSchema.Whole("x"), "*'x'*16,777,216 steps*Number*"),
            (Array.ConvertAll(x, Math.Round), () => ColumnSchema.Whole("x") with { Atoms = [0.5] }, "*'x'*multiples of the step*"),
            (Array.ConvertAll(x, v => Math.Max(v, 0)), () => ColumnSchema.Number("x", 0) with { Atoms = [] },
                "*'x' is 0*at a bound*Atoms*"),
            (Array.ConvertAll(x, v => v > 0 ? "\ud800" : "\udbff"), () => ColumnSchema.Category("x"), "*'x'*surrogate*"),
        })
            FluentActions.Invoking(() => TableFlow.Fit(Table.FromColumns(("x", column)), TableSchema.Of(schema()), quick)).Should()
                .Throw<ArgumentException>().WithMessage(word);
    }

    [Fact]
    public void Dates_and_times_are_left_out_with_a_word_and_a_few_of_them_are_categories()
    {
        var days = Enumerable.Range(0, 120).Select(i => new DateTime(2024, 1, 1).AddDays(i % 40).AddHours(i % 24)).ToArray();
        var x = Normals(120, 1);
        foreach (var format in new[] { "yyyy-MM-dd", "s", "u", "MM/dd/yyyy", "HH:mm:ss" })
        {
            var table = Table.FromColumns(("x", x),
                ("when", Array.ConvertAll(days, d => d.ToString(format, CultureInfo.InvariantCulture))));
            var schema = TableSchema.Propose(table);
            schema.Columns.Select(c => c.Name).Should().Equal(["x"], format);
            schema.Notes.Should().ContainSingle(format).Which.Should().Contain("'when'").And.Contain("dates or times");
        }
        var few = Array.ConvertAll(days, d => d.ToString("yyyy", CultureInfo.InvariantCulture) + (d.Day % 2 == 0 ? "-01-01" : "-07-01"));
        TableSchema.Propose(Table.FromColumns(("when", few)))["when"].Kind.Should().Be(TableColumnKind.Category);
    }

    [Fact]
    public void A_level_that_all_rows_have_has_the_probability_1_and_warns_of_nothing()
    {
        var table = Table.FromColumns(("x", Normals(60, 1)), ("one", Enumerable.Repeat(7.0, 60).ToArray()));
        using var flow = TableFlow.Fit(table, null, quick);
        flow.Report!.Result.Warnings.Should().BeEmpty();
        var terms = flow.LogProbByColumn(table);
        for (var r = 0; r < 60; r++) terms[r, 1].Should().Be(0);
    }

    [Fact]
    public void A_report_of_a_table_with_missing_cells_warns_of_nothing()
    {
        var table = MixedTables.WithHoles(MixedTables.Line(200), 0.3);
        using var flow = TableFlow.Fit(table, null, quick);
        flow.Report!.Result.Warnings.Should().BeEmpty();
    }

    [Fact]
    public void Too_many_draws_rows_and_cells_are_refused()
    {
        var table = MixedTables.Line(60);
        using var flow = TableFlow.Fit(table, null, quick);
        foreach (Action call in new Action[] { () => flow.Sample(int.MaxValue), () => flow.Sample(-1),
            () => flow.LogProb(table, draws: int.MaxValue), () => _ = table["x"][60], () => table["x"].IsMissing(-1), () =>
                table.Rows(60) })
            call.Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => table.With(null!, new double[60])).Should().Throw<ArgumentException>().WithParameterName("name");
        using var stream = new MemoryStream();
        flow.Save(stream);
        stream.Position = 0;
        FluentActions.Invoking(() => FlowModel.Load(stream)).Should().Throw<InvalidDataException>().WithMessage("*TableFlow.Load*");
        stream.Position = 0;
        FluentActions.Invoking(() => AnomalyDetector.Load(stream)).Should().Throw<InvalidDataException>().WithMessage("*TableFlow.Load*");
    }

    private static double[] Normals(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count)
            .Select(_ => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()))];
    }
}
