using System.CommandLine;
using System.Diagnostics;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks.Anomalies;

/// <summary>Compares the detector with common methods on tables with known anomalies. Each result is a line of a file
/// as soon as it is there, and what the file has is not computed again; <see cref="StudyReport"/> makes the tables of it.</summary>
internal static class AnomalyStudy
{
    /// <summary>The name of the detector in results.</summary>
    public const string Own = "AnomalyDetector";

    private const int Splits = 100;

    public static readonly (string Name, Func<Tensor, int, IDetector> Fit)[] Others =
    [
        ("isolation forest", (rows, seed) => new IsolationForest(rows, seed)),
        ("LOF", (rows, _) => new LocalOutlierFactor(rows)),
        ("kNN", (rows, _) => new NearestNeighbours(rows)),
        ("PCA", (rows, _) => new PrincipalComponents(rows)),
        ("Mahalanobis", (rows, _) => new Mahalanobis(rows)),
        ("ECOD", (rows, _) => new Ecod(rows)),
    ];

    public static Command Command()
    {
        var folder = new Argument<string>("folder") { Description = "A folder of .npz with X and y." };
        var output = new Option<string>("--output") { Description = "The file of results, which is appended to.", Required = true };
        var seeds = new Option<int>("--seeds") { Description = "How many splits of each table.", DefaultValueFactory = _ => 3 };
        var table = new Option<string?>("--table") { Description = "Only tables whose name contains this." };
        var shipped = new Option<bool>("--shipped") { Description = "Also the tables that ship with the samples." };
        var most = new Option<double>("--seconds") { Description = "Begins with no further fit after this time.",
            DefaultValueFactory = _ => double.PositiveInfinity };
        var methods = new Option<string?>("--method") { Description = "Only methods whose name contains this." };
        var command = new Command("anomalies", "Compares AnomalyDetector with six common detectors by the area under the ROC curve.") {
            folder, output, seeds, table, shipped, most, methods };
        command.SetAction(parsed =>
        {
            set_num_threads(1);
            var tables = AnomalyTable.In(parsed.GetRequiredValue(folder))
                .Concat(parsed.GetValue(shipped) ? AnomalyTable.Shipped() : [])
                .Where(t => parsed.GetValue(table) is not { } part || t.Name.Contains(part, StringComparison.Ordinal))
                .OrderBy(t => t.Rows.Length);
            Run(parsed.GetRequiredValue(output), tables, parsed.GetValue(seeds), parsed.GetValue(most),
                [.. Others.Select(o => o.Name).Prepend(Own)
                    .Where(m => parsed.GetValue(methods) is not { } part || m.Contains(part, StringComparison.Ordinal))]);
            return 0;
        });
        return command;
    }

    public static Command ReportCommand()
    {
        var file = new Argument<string>("results") { Description = "The file of results." };
        var command = new Command("anomalies-report", "Prints the tables of docs/anomalies.md from a file of results.") { file };
        command.SetAction(parsed =>
        {
            Console.Write(StudyReport.Of(StudyResult.Read(parsed.GetRequiredValue(file))));
            return 0;
        });
        return command;
    }

    private static void Run(string path, IEnumerable<AnomalyTable> tables, int seeds, double seconds, string[] methods)
    {
        var all = Stopwatch.StartNew();
        var done = StudyResult.Read(path).Select(r => (r.Table, r.Seed, r.Method)).ToHashSet();
        for (var seed = 0; seed < seeds; seed++)
            foreach (var table in tables)
                foreach (var method in methods)
                {
                    if (done.Contains((table.Name, seed, method)) || all.Elapsed.TotalSeconds > seconds) continue;
                    using var scope = NewDisposeScope();
                    var result = method == Own ? Detector(table, seed) : Other(table, seed, method);
                    File.AppendAllText(path, result.Line + "\n");
                }
    }

    private static StudyResult Other(AnomalyTable table, int seed, string method)
    {
        var (train, test, isAnomaly) = table.Split(seed);
        var clock = Stopwatch.StartNew();
        var detector = Others.Single(o => o.Name == method).Fit(Rows(train), seed);
        return new()
        {
            Table = table.Name, Rows = table.Rows.Length, Columns = train[0].Length, Anomalies = table.IsAnomaly.Count(a => a), Seed = seed,
            Method = method, Area = Metrics.RocAuc(detector.Scores(Rows(test)), isAnomaly), Seconds = clock.Elapsed.TotalSeconds,
        };
    }

    private static StudyResult Detector(AnomalyTable table, int seed)
    {
        var (train, test, isAnomaly) = table.Split(seed);
        var clock = Stopwatch.StartNew();
        using var detector = AnomalyDetector.Fit(train, new AnomalyOptions { Seed = seed });
        var seconds = clock.Elapsed.TotalSeconds;
        var result = detector.Score(test);
        var ordinary = result.Scores.Where((_, i) => !isAnomaly[i]).ToArray();
        var canTell = detector.SmallestPValue <= 0.01;
        return new()
        {
            Table = table.Name, Rows = table.Rows.Length, Columns = train[0].Length, Anomalies = table.IsAnomaly.Count(a => a), Seed = seed,
            Method = Own, Area = Metrics.RocAuc(result.Scores, isAnomaly), Seconds = seconds, CalibrationRows = detector.CalibrationRows,
            OrdinaryRows = ordinary.Length, Alarms = canTell ? result.PValues.Where((p, i) => p <= 0.01 && !isAnomaly[i]).Count() : null,
            SplitAlarms = canTell ? OverSplits(detector.CalibrationScores, ordinary, seed) : null,
        };
    }

    // the members as they are, and all ordinary rows that they were not trained on parted anew into calibration and test
    private static double OverSplits(ReadOnlySpan<double> calibration, double[] ordinary, int seed)
    {
        double[] pool = [.. calibration, .. ordinary];
        var random = new Random(seed);
        var sum = 0.0;
        for (var split = 0; split < Splits; split++)
        {
            random.Shuffle(pool);
            var (kept, tested) = (pool[..calibration.Length].Order().ToArray(), pool[calibration.Length..]);
            // a p-value of at most 1 %: so many of the calibration, or fewer, score as high
            var allowed = (int)Math.Floor((0.01 * (kept.Length + 1)) + 1e-9) - 1;
            sum += tested.Count(s => s > kept[kept.Length - 1 - allowed]) / (double)tested.Length;
        }
        return sum / Splits;
    }

    private static Tensor Rows(double[][] rows) => tensor([.. rows.SelectMany(r => r)], [rows.Length, rows[0].Length]);
}
