using System.Globalization;
using RealNvp.Samples.Scoring;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Samples;

/// <summary>SQL that scores with a flow.</summary>
[Collection("Console")]
public class ScoringSampleTests
{
    [Fact]
    public void The_function_of_SQL_gives_what_the_flow_gives_from_Parquet_and_CSV_on_several_threads()
    {
        using var folder = new TemporaryFolder();
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(2), seed: 1);
        flow.eval();
        using var database = new Database(threads: 2, megabytes: 128);
        FlowFunction.Register(database.Connection, flow);
        foreach (var file in new[] { "rows.parquet", "rows.csv" })
        {
            var table = Database.Text(folder.At(file));
            database.Run($"COPY (SELECT i AS id, sin(i)::FLOAT AS a, cos(i) AS b FROM range(10000) t(i)) TO {table}");
            var rows = database.Rows($"SELECT a::DOUBLE, b::DOUBLE FROM {table} ORDER BY id");
            var scores = database.Rows($"SELECT log_prob(a, b) FROM {table} ORDER BY id");
            scores.Cast<double>().Should().Equal(flow.LogProb(rows), (x, y) => Math.Abs(x - y) <= 1e-5 * (1 + Math.Abs(y)));
        }
    }

    [Fact]
    public void Rows_without_a_number_have_no_score_and_wrong_columns_are_an_error()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(2), seed: 1);
        flow.eval();
        using var database = new Database(threads: 1, megabytes: 128);
        FlowFunction.Register(database.Connection, flow);
        database.Run("CREATE TABLE t AS SELECT * FROM (VALUES (0, 1.0::DOUBLE, 2), (1, NULL, 2), (2, 'NaN'::DOUBLE, 2), (3, " +
            "'Infinity'::DOUBLE, 2), (4, 3, 4)) v(id, a, b)");
        database.Run("SELECT string_agg(id, ',' ORDER BY id) FROM t WHERE log_prob(a, b) IS NULL").Should().Be("1,2,3");
        Convert.ToDouble(database.Run("SELECT log_prob(a, b) FROM t WHERE id = 4"), CultureInfo.InvariantCulture).Should()
            .BeApproximately(flow.LogProb(new double[,] { { 3, 4 } })[0], 1e-5);
        database.Run("SELECT count(log_prob(a, b)) FROM t WHERE id < 0").Should().Be(0L);
        // numbers of all types
        foreach (var type in new[] { "FLOAT", "TINYINT", "INTEGER", "BIGINT", "HUGEINT", "UINTEGER", "DECIMAL(9, 3)", "DECIMAL(38, 10)" })
            Convert.ToDouble(database.Run($"SELECT log_prob(3::{type}, 4::{type})"), CultureInfo.InvariantCulture).Should()
                .BeApproximately(flow.LogProb(new double[,] { { 3, 4 } })[0], 1e-5, type);
        Assert.ThrowsAny<Exception>(() => database.Run("SELECT log_prob(DATE '2020-01-01', 4)"));
        Assert.ThrowsAny<Exception>(() => database.Run("SELECT log_prob(a) FROM t")).Message.Should().Contain("takes 2 numbers").And
            .Contain("got 1");
    }

    [Fact]
    public void A_row_that_a_flow_cannot_hold_is_no_end_of_a_query_but_a_broken_flow_is()
    {
        using var flow = new SplineFlowModel(SplineFlowOptions.Tabular(3, 100) with { Layers = 2, Hidden = 8, Blocks = 1 }, seed: 1);
        flow.eval();
        FluentActions.Invoking(() => flow.LogProb(new double[,] { { 1e308, -1e308, 3 } })).Should().Throw<NonFiniteException>();
        using var database = new Database(threads: 1, megabytes: 128);
        FlowFunction.Register(database.Connection, flow);
        database.Run("CREATE TABLE t AS SELECT i AS id, CASE WHEN i = 1234 THEN 1e308 ELSE 0.5 END AS a FROM range(3000) r(i)");
        database.Run("SELECT count(log_prob(a, -a, 3)) FROM t").Should().Be(2999L);
        database.Run("SELECT id FROM t WHERE log_prob(a, -a, 3) IS NULL").Should().Be(1234L);
        using (TorchSharp.torch.no_grad()) flow.parameters().First().fill_(double.NaN);
        Assert.ThrowsAny<Exception>(() => database.Run("SELECT log_prob(a, -a, 3) FROM t")).Message.Should().Contain("not finite");
    }

    [Fact]
    public void The_sample_says_how_fast_it_scores_and_how_much_memory_it_took()
    {
        using var folder = new TemporaryFolder();
        using var output = new StringWriter();
        new ScoringRun(Rows: 3000, Threads: 2, Megabytes: 128, folder.Path, Epochs: 1).Run(output).Should().Be(0);
        output.ToString().Should().MatchRegex(@"the flow alone.*: [\d,]+ rows a second").And.MatchRegex(@"Parquet from SQL: [\d,]+ rows")
            .And.MatchRegex(@"CSV from SQL: [\d,]+ rows").And.MatchRegex("memory at most [0-9,]+ MB").And.MatchRegex(
                @"the rarest: row \d+");
        File.Exists(folder.At("rarest.parquet")).Should().BeTrue();
    }
}
