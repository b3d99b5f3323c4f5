using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Tables;

/// <summary>Samples beside the data that the density was fitted to.</summary>
public class TableSampleTests
{
    [Fact]
    public void A_comparison_of_two_halves_is_chance_and_one_of_strangers_is_not()
    {
        var (one, two) = (MixedTables.Shop(2000, 1), MixedTables.Shop(2000, 2));
        var same = TableComparison.Of(one, two);
        same.Columns.Should().OnlyContain(c => c.Distance < 3 * c.Noise);
        same.Pairs.Should().OnlyContain(p => p.Difference < 5 * same.PairNoise);
        var strange = TableComparison.Of(one, two.With("things", two["things"].ToNumbers().Select(t => t + 2).ToArray())
            .With("rain", two["rain"].ToBooleans().Reverse().ToArray()));
        strange.Columns.Single(c => c.Column == "things").Distance.Should().BeGreaterThan(0.1);
        strange.Pairs[0].First.Should().Contain("rain");
        strange.ToString().Should().Contain("things: differs by");
    }

    [SlowTheory, InlineData("shop"), InlineData("line")]
    public void Samples_of_a_made_table_have_its_columns_and_pairs(string name)
    {
        Table Made(int rows, int seed) => name == "shop" ? MixedTables.Shop(rows, seed) : MixedTables.Line(rows, seed);
        using var flow = TableFlow.Fit(Made(3000, 1));
        Compare(name, flow, Made(3000, 9), columns: 4, pairs: 6);
    }

    /// <summary>Tables of statsmodels where Debian installs it (python3-statsmodels, BSD, anes96 in the public domain), or in
    /// the folder that REALNVP_TABLES names, which may have others, such as those that R writes by write.csv.</summary>
    [SlowTheory, InlineData("anes96"), InlineData("fair"), InlineData("modechoice"), InlineData("ccard"), InlineData("survey"),
        InlineData("birthwt"),
        InlineData("lung"), InlineData("pbc")]
    public void Samples_of_a_real_table_have_its_columns_and_pairs(string name)
    {
        string[] folders = [Environment.GetEnvironmentVariable("REALNVP_TABLES") ?? "",
            "/usr/lib/python3/dist-packages/statsmodels/datasets/" + name];
        var path = folders.Select(f => Path.Combine(f, name + ".csv")).FirstOrDefault(File.Exists);
        Assert.SkipWhen(path is null, $"{name}.csv is not installed: apt install python3-statsmodels, or see REALNVP_TABLES");
        var table = Table.ReadCsv(path!);
        if (table.Names[0] == "row") table = table.Without("row");
        using var flow = TableFlow.Fit(table);
        Compare(name, flow, table, columns: 6, pairs: 7);
    }

    private static void Compare(string name, TableFlow flow, Table data, double columns, double pairs)
    {
        var samples = flow.Sample(Math.Max(data.RowCount, 2000), seed: 1);
        var comparison = TableComparison.Of(data, samples);
        TestContext.Current.TestOutputHelper!.WriteLine($"{name}\n{flow.Schema}\n{flow.Report}\n{comparison}");
        comparison.Columns.Should().OnlyContain(c => c.Distance < columns * c.Noise);
        comparison.Pairs.Should().OnlyContain(p => p.Difference < pairs * comparison.PairNoise);
        comparison.Pairs.Average(p => p.Difference).Should().BeLessThan(2.5 * comparison.PairNoise);
    }
}
