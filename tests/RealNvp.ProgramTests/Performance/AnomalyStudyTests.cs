using RealNvp.Benchmarks.Anomalies;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Performance;

/// <summary>What docs/anomalies.md reports is what the committed results say.</summary>
public class AnomalyStudyTests
{
    [Fact]
    public void The_page_has_the_tables_that_the_results_give()
    {
        var root = Repository.Root;
        var results = StudyResult.Read(Path.Combine(root, "benchmarks", "RealNvp.Benchmarks", "Anomalies", "results.tsv"));
        results.Should().NotBeEmpty();
        File.ReadAllText(Path.Combine(root, "docs", "anomalies.md")).ReplaceLineEndings("\n").Should()
            .Contain(StudyReport.Of(results), "anomalies-report prints the tables: paste them");
        results.Select(r => StudyResult.Read(Line(r))[0]).Should().Equal(results, "a line is read as it was written");

        static string Line(StudyResult result)
        {
            var path = Path.Combine(Path.GetTempPath(), $"line-{Environment.ProcessId}.tsv");
            File.WriteAllText(path, result.Line + "\n");
            return path;
        }
    }

    [Theory]
    [InlineData(99, 500)]
    [InlineData(150, 1_000)]
    [InlineData(1_000, 3_000)]
    [InlineData(2_000, 25_000)]
    public void The_central_interval_of_false_alarms_leaves_a_thousandth_outside(int calibration, int tested)
    {
        var (low, high) = BetaBinomial.Central(calibration, tested, 0.01, 0.001);
        // the law once more, by the ratio of neighbours
        double a = Math.Floor(0.01 * (calibration + 1) + 1e-9), b = calibration + 1 - a;
        var weights = new double[tested + 1];
        var log = 0.0;
        for (var k = 0; k <= tested; k++)
        {
            weights[k] = log;
            if (k < tested) log += Math.Log((tested - k) * (k + a) / ((k + 1.0) * (tested - k - 1 + b)));
        }
        var most = weights.Max();
        var sum = weights.Sum(w => Math.Exp(w - most));
        double P(Func<int, bool> counts) => Enumerable.Range(0, tested + 1).Where(counts).Sum(k => Math.Exp(weights[k] - most)) / sum;
        P(k => k < low).Should().BeLessThanOrEqualTo(0.0005);
        P(k => k > high).Should().BeLessThanOrEqualTo(0.0005);
        P(k => k <= low).Should().BeGreaterThan(0.0005);
        P(k => k >= high).Should().BeGreaterThan(0.0005);
        // the mean is what conformal prediction promises
        Enumerable.Range(0, tested + 1).Sum(k => k * Math.Exp(weights[k] - most) / sum / tested).Should()
            .BeApproximately(a / (calibration + 1), 1e-9);
    }

    [Fact]
    public void A_report_says_who_is_best_and_worst_and_what_the_calibration_cannot_tell()
    {
        StudyResult Result(string table, string method, double area) => new()
        {
            Table = table, Rows = 1_000, Columns = 3, Anomalies = 10, Seed = 0, Method = method, Area = area, Seconds = 2,
            CalibrationRows = method == AnomalyStudy.Own ? table == "small" ? 12 : 199 : null, OrdinaryRows = 300,
            Alarms = method == AnomalyStudy.Own && table != "small" ? 4 : null, SplitAlarms = method == AnomalyStudy.Own ? 0.0101 : null,
        };
        var text = StudyReport.Of([.. new[] { "large", "small" }.SelectMany(t => AnomalyStudy.Others.Select((o, i) =>
            Result(t, o.Name, 0.7 + (0.01 * i))).Prepend(Result(t, AnomalyStudy.Own, 0.9))), Result("half", "kNN", 0.3)]);
        text.Should().Contain("| large | 1,000 | 3 | 10 | 1 | **0.9000** | 0.7000 |").And.Contain("+0.2000 to +0.2000")
            .And.Contain("7.7% is the least that it can tell".Replace("%", " %", StringComparison.Ordinal)).And.Contain("1 of 1 inside")
            .And.NotContain("half", "a split that some methods lack is not compared");
    }
}
