using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Tables;

/// <summary>p(missing | known) by what the density itself says of whole rows.</summary>
[LeavesNoTensors]
public class MissingCellTests
{
    private static readonly TableFlowOptions some = new() { Hidden = 32, Blocks = 1, Bins = 8,
        Training = new TrainingOptions { Epochs = 12, BatchSize = 32, LearningRate = 5e-3, WeightNormDecay = 0 } };

    [Fact]
    public void Probabilities_of_a_category_are_those_of_whole_rows()
    {
        var table = MixedTables.Shop(150);
        using var flow = TableFlow.Fit(table, TableFlowTests.Written(), some with { Training = some.Training! with { Epochs = 3 } });
        flow.ValuesOf("shop").Should().Equal("books", "café", "garden");
        var rows = table.Rows(0, 1, 2, 3);
        var probabilities = flow.Probabilities(rows, "shop");
        var whole = flow.ValuesOf("shop").Select(v => flow.LogProb(rows.With("shop", Enumerable.Repeat(v, 4).ToArray()))).ToArray();
        var without = flow.LogProb(rows.With("shop", new string?[4]));
        for (var r = 0; r < 4; r++)
        {
            var sum = whole.Sum(w => Math.Exp(w[r]));
            for (var v = 0; v < 3; v++) probabilities[r, v].Should().BeApproximately(Math.Exp(whole[v][r]) / sum, 1e-5);
            without[r].Should().BeApproximately(Math.Log(sum), 1e-4);
        }
    }

    [Fact]
    public void What_is_missing_at_the_end_is_exact_and_what_is_missing_before_has_an_error_that_holds()
    {
        var table = MixedTables.Line(400);
        using var flow = TableFlow.Fit(table, null, some);
        double[] nothing = [double.NaN, double.NaN];
        var rows = table.Rows(0, 1);
        // x, free, y, sign: the last one is missing, and the others are a prefix
        var prefix = flow.LogProbWithErrors(rows.With("sign", new string?[2]));
        prefix.StandardErrors.Should().Equal(0, 0);
        var columns = flow.LogProbByColumn(rows);
        for (var r = 0; r < 2; r++) prefix.LogProb[r].Should().BeApproximately(columns[r, 0] + columns[r, 1] + columns[r, 2], 1e-4);
        // x is missing: by draws, and by an integral over whole rows
        var (logProb, errors) = flow.LogProbWithErrors(rows.With("x", nothing), draws: 4000);
        for (var r = 0; r < 2; r++)
        {
            double[] x = [.. Enumerable.Range(0, 2001).Select(i => (i - 1000) * 0.008)];
            var line = flow.LogProb(rows.Rows([.. x.Select(_ => r)]).With("x", x));
            var integral = Math.Log(line.Sum(l => Math.Exp(l) * 0.008));
            errors[r].Should().BeInRange(1e-4, 0.2);
            logProb[r].Should().BeApproximately(integral, 4 * errors[r]);
        }
        flow.LogProb(table.With("y", table["y"])).Should().OnlyContain(l => double.IsFinite(l));
    }

    [Fact]
    public void What_stands_behind_all_that_matters_is_not_drawn_for_a_probability()
    {
        var table = MixedTables.Line(200);
        using var flow = TableFlow.Fit(table, null, some with { Training = some.Training! with { Epochs = 3 } });
        flow.Order.Should().Equal("x", "free", "y", "sign");
        // y and sign are missing too, and y has no end of values
        var rows = table.Rows(0, 1, 2).With("y", new double?[3]).With("sign", new string?[3]);
        var probabilities = flow.Probabilities(rows, "free", draws: 2);
        var ways = flow.ValuesOf("free").Select(v => flow.LogProb(rows.With("free", new[] { v, v, v }))).ToArray();
        var (logProb, errors) = flow.LogProbWithErrors(rows.With("free", new string?[3]), draws: 2);
        errors.Should().Equal(0, 0, 0);
        for (var r = 0; r < 3; r++)
        {
            var sum = ways.Sum(w => Math.Exp(w[r]));
            for (var v = 0; v < 2; v++) probabilities[r, v].Should().BeApproximately(Math.Exp(ways[v][r]) / sum, 1e-5);
            logProb[r].Should().BeApproximately(Math.Log(sum), 1e-4);
        }
        // each table has a draw of its own
        var imputed = flow.Impute(rows.With("free", new string?[3]), draws: 64, tables: 4);
        imputed.IsExact.Should().OnlyContain(e => e);
        imputed.EffectiveSampleSizes.Should().OnlyContain(e => e == 64);
        imputed.Tables.Select(t => (double)t["y"][0]!).Should().OnlyHaveUniqueItems();
    }

    [Fact]
    public void A_row_with_few_ways_gets_in_company_what_it_gets_alone()
    {
        var table = MixedTables.Shop(150);
        using var flow = TableFlow.Fit(table, TableFlowTests.Written(), some with { Training = some.Training! with { Epochs = 2 } });
        // some lack one category, some two, some what stands last
        string?[] Without(string name, int each) => [.. table[name].ToTexts().Select((t, r) => r % each == 0 ? null : t)];
        var holed = table.With("shop", Without("shop", 2)).With("rain", Array.ConvertAll(Without("rain", 3),
            t => t is null ? (bool?)null : t == "true"));
        var (together, errors) = flow.LogProbWithErrors(holed);
        errors.Should().OnlyContain(e => e == 0);
        var chances = flow.Probabilities(holed, "shop");
        for (var r = 0; r < 12; r++)
        {
            flow.LogProb(holed.Rows(r))[0].Should().BeApproximately(together[r], 1e-4);
            var alone = flow.Probabilities(holed.Rows(r), "shop");
            for (var v = 0; v < 3; v++) alone[0, v].Should().BeApproximately(chances[r, v], 1e-5);
            Enumerable.Range(0, 3).Sum(v => chances[r, v]).Should().BeApproximately(1, 1e-9);
        }
    }

    [Fact]
    public void Draws_of_missing_cells_follow_what_is_known_and_say_what_they_are_worth()
    {
        var table = MixedTables.Line(500);
        using var flow = TableFlow.Fit(table, null, some);
        // y of 3 makes x about 1.5 and the sign plus; free may be anything
        var rows = Table.FromColumns(("x", Enumerable.Repeat(double.NaN, 200).ToArray()), ("y", Enumerable.Repeat(3.0, 200).ToArray()));
        var imputed = flow.Impute(rows, draws: 300, tables: 3, seed: 4);
        imputed.Tables.Should().HaveCount(3);
        imputed.IsExact.Should().OnlyContain(e => !e);
        imputed.EffectiveSampleSizes.Should().OnlyContain(e => e >= 1 && e < 300);
        imputed.ToString().Should().Contain("200 by importance sampling with 300 draws");
        foreach (var drawn in imputed.Tables)
        {
            drawn["y"].ToNumbers().Should().OnlyContain(y => y == 3);
            drawn["x"].ToNumbers().Average().Should().BeInRange(1.1, 1.8);
            drawn["sign"].ToTexts().Count(s => s == "plus").Should().BeGreaterThan(185);
            drawn["free"].ToTexts().Count(s => s == "a").Should().BeInRange(50, 150);
        }
        imputed.Tables[0]["x"].ToNumbers().Should().NotEqual(imputed.Tables[1]["x"].ToNumbers());
        flow.Impute(rows, draws: 300, tables: 3, seed: 4).Tables[2].ToString().Should().Be(imputed.Tables[2].ToString());
        // nothing is missing: nothing changes, to the last digit
        var whole = flow.Impute(table);
        whole.IsExact.Should().OnlyContain(e => e);
        whole.LogProb.Should().Equal(flow.LogProb(table));
        foreach (var name in table.Names) whole.Tables[0][name].ToTexts().Should().Equal(table[name].ToTexts());
    }

    [Fact]
    public void Rows_with_missing_cells_are_trained_on_and_columns_that_others_need_are_named()
    {
        var table = MixedTables.WithHoles(MixedTables.Line(300), 0.3);
        using var flow = TableFlow.Fit(table, null, some);
        flow.Report!.IncompleteRows.Should().BeGreaterThan(150);
        // those without any known cell are left out
        (flow.Report.TrainingRows + flow.Report.HeldOutRows).Should().BeInRange(280, 300);
        flow.Report.ToString().Should().Contain("have missing cells");
        flow.LogProb(table, draws: 16).Should().OnlyContain(l => double.IsFinite(l));
        FluentActions.Invoking(() => flow.LogProbByColumn(table)).Should().Throw<ArgumentException>()
            .WithMessage("*row *, column '*' is missing*Impute*");
        FluentActions.Invoking(() => flow.LogProb(table, draws: 1)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => TableFlow.Fit(table.With("x", new double?[300]), flow.Schema, some)).Should()
            .Throw<ArgumentException>()
            .WithMessage("*'x' has no values*");
    }
}
