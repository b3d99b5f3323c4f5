using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Tables;

[LeavesNoTensors]
public class TableFlowTests
{
    private static readonly TableFlowOptions quick = new() { Hidden = 24, Blocks = 1, Bins = 6,
        Training = new TrainingOptions { Epochs = 3, BatchSize = 32, WeightNormDecay = 0 } };

    [Fact]
    public void A_proposal_names_the_kind_of_each_column_and_why()
    {
        var schema = TableSchema.Propose(MixedTables.Shop(300));
        schema.Columns.Select(c => c.Kind).Should().Equal(TableColumnKind.Category, TableColumnKind.Category, TableColumnKind.Number,
            TableColumnKind.Whole, TableColumnKind.Number, TableColumnKind.Number, TableColumnKind.Levels);
        schema["back"].Should().Match<ColumnSchema>(c => c.Lower == 0 && c.Atoms!.SequenceEqual(new double[] { 0 }));
        schema["paid"].Lower.Should().Be(0);
        schema["things"].Lower.Should().Be(0);
        schema.ToString().Should().Contain("shop: category of 3: books, café, garden").And.Contain("things: whole number, at least 0");
    }

    [Fact]
    public void Texts_that_are_all_different_are_left_out_with_a_word()
    {
        var table = MixedTables.Line(60).With("name", Enumerable.Range(0, 60).Select(i => $"n{i}").ToArray());
        var schema = TableSchema.Propose(table);
        schema.Columns.Should().HaveCount(4);
        schema.Notes.Should().ContainSingle().Which.Should().Contain("'name' has 60 different texts");
    }

    [Fact]
    public void Samples_have_the_columns_kinds_and_values_of_the_table()
    {
        var table = MixedTables.Shop(200);
        using var flow = TableFlow.Fit(table, Written(), quick);
        var drawn = flow.Sample(500, seed: 1);
        drawn.Names.Should().Equal(table.Names);
        drawn.RowCount.Should().Be(500);
        foreach (var name in table.Names) drawn[name].Kind.Should().Be(table[name].Kind);
        drawn["shop"].ToTexts().Should().OnlyContain(s => table["shop"].ToTexts().Contains(s));
        drawn["things"].ToNumbers().Should().OnlyContain(n => n >= 0 && n == Math.Round(n));
        drawn["hour"].ToNumbers().Should().OnlyContain(h => h >= 0 && h < 24);
        drawn["paid"].ToNumbers().Should().OnlyContain(p => p > 0);
        drawn["back"].ToNumbers().Should().OnlyContain(b => b >= 0 && b <= 1).And.Contain(0);
        drawn["grade"].ToNumbers().Should().OnlyContain(g => g == 1 || g == 1.5 || g == 2.5 || g == 3.5);
        flow.LogProb(drawn).Should().OnlyContain(p => double.IsFinite(p));
        flow.Sample(500, seed: 1).ToString().Should().Be(drawn.ToString());
        flow.Sample(0).RowCount.Should().Be(0);
    }

    [Fact]
    public void The_order_of_categories_and_levels_in_a_schema_changes_no_log_probability()
    {
        var table = MixedTables.Shop(120);
        var one = Written();
        var other = one.With(ColumnSchema.Category("shop", "garden", "café", "books")).With(ColumnSchema.Category("rain", "true", "false"))
            .With(ColumnSchema.Levels("grade", 3.5, 1, 2.5, 1.5));
        one = one.With(ColumnSchema.Category("shop", "books", "garden", "café")).With(ColumnSchema.Category("rain", "false", "true"))
            .With(ColumnSchema.Levels("grade", 1, 1.5, 2.5, 3.5));
        using var first = TableFlow.Fit(table, one, quick);
        using var second = TableFlow.Fit(table, other, quick);
        var (a, b) = (first.LogProb(table), second.LogProb(table));
        for (var i = 0; i < a.Length; i++) b[i].Should().BeApproximately(a[i], 1e-9);
    }

    [Fact]
    public void A_file_holds_schema_preprocessing_and_weights()
    {
        var table = MixedTables.WithHoles(MixedTables.Shop(120), 0.05);
        FluentActions.Invoking(() => TableFlow.Fit(table, Written(), quick with { Order = ["grade", "pay"] })).Should()
            .Throw<ArgumentException>().WithMessage("*Order must name columns of the schema, shop, *; got pay*");
        using var flow = TableFlow.Fit(table, Written(), quick with { Order = ["grade", "paid"] });
        using var stream = new MemoryStream();
        flow.Save(stream);
        stream.Position = 0;
        using var again = TableFlow.Load(stream);
        again.LogProb(table).Should().Equal(flow.LogProb(table));
        again.Schema.ToString().Should().Be(flow.Schema.ToString());
        again.Order.Should().Equal("grade", "paid", "shop", "rain", "hour", "things", "back");
        again.Sample(20, seed: 3).ToString().Should().Be(flow.Sample(20, seed: 3).ToString());
        stream.Position = 0;
        FluentActions.Invoking(() => FlowModel.Load(stream)).Should().Throw<InvalidDataException>().WithMessage("*TableFlow*");
    }

    [Fact]
    public void A_file_that_was_changed_by_hand_is_refused_by_what_is_wrong()
    {
        using var flow = TableFlow.Fit(MixedTables.Line(60), null, quick);
        using var stream = new MemoryStream();
        flow.Save(stream);
        foreach (var (from, to) in new[] { ("\\u0022Hidden\\u0022:24", "\\u0022Hidden\\u0022:99"), ("Category", "Cathedra"),
            ("plus", "minu") })
        {
            var text = System.Text.Encoding.Latin1.GetString(stream.ToArray());
            var changed = text.Replace(from, to, StringComparison.Ordinal);
            if (changed == text)
                changed = text.Replace(from.Replace("\\u0022", "\\\"", StringComparison.Ordinal), to.Replace("\\u0022", "\\\"",
                StringComparison.Ordinal), StringComparison.Ordinal);
            changed.Should().NotBe(text, "the header says {0}", from);
            using var damaged = new MemoryStream(System.Text.Encoding.Latin1.GetBytes(changed));
            FluentActions.Invoking(() => TableFlow.Load(damaged)).Should().Throw<InvalidDataException>();
        }
    }

    [Fact]
    public void Log_p_of_columns_sums_to_that_of_the_row()
    {
        var table = MixedTables.Shop(100);
        using var flow = TableFlow.Fit(table, Written(), quick);
        var (rows, columns) = (flow.LogProb(table), flow.LogProbByColumn(table));
        for (var r = 0; r < rows.Length; r++)
            Enumerable.Range(0, 7).Sum(c => columns[r, c]).Should().BeApproximately(rows[r], 1e-9);
        flow.Likelihood.Kind.Should().Be(LikelihoodKind.Exact);
    }

    [Fact]
    public void A_value_that_the_schema_does_not_allow_has_no_density_and_is_refused_in_a_fit()
    {
        var table = MixedTables.Line(60);
        using var flow = TableFlow.Fit(table, null, quick);
        var foreign = table.With("sign", table["sign"].ToTexts().Select((s, i) => i == 7 ? "zero" : s).ToArray());
        var scores = flow.LogProb(foreign);
        scores[7].Should().Be(double.NegativeInfinity);
        scores.Where((_, i) => i != 7).Should().OnlyContain(s => double.IsFinite(s));
        FluentActions.Invoking(() => TableFlow.Fit(foreign, flow.Schema, quick)).Should().Throw<ArgumentException>()
            .WithMessage("*row 7, column 'sign' is zero*one of minus, plus*");
    }

    [Fact]
    public void Mistakes_are_named()
    {
        var table = MixedTables.Line(60);
        using var flow = TableFlow.Fit(table, null, quick);
        FluentActions.Invoking(() => flow.LogProb(table.Without("y"))).Should().Throw<ArgumentException>()
            .WithMessage("*'y'*x, free, sign*");
        FluentActions.Invoking(() => flow.LogProb(table.With("y", table["free"]))).Should().Throw<ArgumentException>()
            .WithMessage("*'y'*Text*");
        FluentActions.Invoking(() => TableFlow.Fit(table.Rows([.. Enumerable.Range(0, 10)]), null, quick)).Should()
            .Throw<ArgumentException>()
            .WithMessage("*at least 20 rows*");
        FluentActions.Invoking(() => TableFlow.Fit(table, TableSchema.Of(ColumnSchema.Number("z")), quick)).Should()
            .Throw<ArgumentException>().WithMessage("*'z'*");
        FluentActions.Invoking(() => TableFlow.Fit(table, TableSchema.Of(ColumnSchema.Number("x", lower: 0)), quick)).Should()
            .Throw<ArgumentException>().WithMessage("*row *'x' is -*at least 0*");
        FluentActions.Invoking(() => ColumnSchema.Number("x", 1, 0) is var c && TableSchema.Of(c) is null).Should()
            .Throw<ArgumentException>()
            .WithMessage("*'x'*Upper must be above*");
        FluentActions.Invoking(() => flow.ValuesOf("x")).Should().Throw<ArgumentException>().WithMessage("*Number*");
        FluentActions.Invoking(() => Table.FromColumns(("a", new[] { 1.0 }), ("b", new[] { 1, 2 }))).Should().Throw<ArgumentException>()
            .WithMessage("*'b' has 2*");
    }

    internal static TableSchema Written() => TableSchema.Of(ColumnSchema.Category("shop"), ColumnSchema.Category("rain"),
        ColumnSchema.Circle("hour", 24), ColumnSchema.Whole("things", lower: 0), ColumnSchema.Number("paid", lower: 0),
        ColumnSchema.Number("back", 0, 1), ColumnSchema.Levels("grade"));

    [Fact]
    public void A_column_that_a_fit_leaves_out_is_in_its_report()
    {
        var table = MixedTables.Line(60).With("name", Enumerable.Range(0, 60).Select(i => $"n{i}").ToArray());
        using var proposed = TableFlow.Fit(table, null, quick);
        proposed.Report!.Notes.Should().ContainSingle().Which.Should().Contain("'name' has 60 different texts");
        proposed.Report.ToString().Should().EndWith(proposed.Report.Notes[0]);
        using var written = TableFlow.Fit(table, proposed.Schema, quick);
        written.Report!.Notes.Should().BeEmpty();
    }
}
