using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using RealNvp.Benchmarks.Presets;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks.Anomalies;

/// <summary>Compares the detector with common methods on tables with known anomalies: docs/anomalies.md.</summary>
internal static class AnomalyStudy
{
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
        var folder = new Argument<string>("folder") { Description = "A folder of .npz with X and y, and of .npy without labels." };
        var seeds = new Option<int>("--seeds") { Description = "How many splits of each table.", DefaultValueFactory = _ => 3 };
        var table = new Option<string?>("--table") { Description = "Only tables whose name contains this." };
        var shipped = new Option<bool>("--shipped") { Description = "Also the tables that ship with the samples." };
        var candidates =
            new Option<string[]>("--candidate") { Description = "Models, such as Maf:Hidden=64,Base=StudentT; the default otherwise.",
            AllowMultipleArgumentsPerToken = true };
        var alone = new Option<bool>("--alone") { Description = "Without the common methods." };
        var command = new Command("anomalies", "Compares AnomalyDetector with six common detectors by the area under the ROC curve.") {
            folder, seeds, table, shipped, candidates, alone };
        command.SetAction(parsed =>
        {
            set_num_threads(1);
            var tables = AnomalyTable.In(parsed.GetRequiredValue(folder), 0)
                .Concat(parsed.GetValue(shipped) ? AnomalyTable.Shipped() : [])
                .Where(t => parsed.GetValue(table) is not { } part || t.Name.Contains(part, StringComparison.Ordinal));
            Run(Console.Out, tables, parsed.GetValue(seeds), [.. (parsed.GetValue(candidates) ?? []).Select(Candidate.Parse)],
                parsed.GetValue(alone));
            return 0;
        });
        return command;
    }

    private static void Run(TextWriter output, IEnumerable<AnomalyTable> tables, int seeds, Candidate[] candidates, bool alone)
    {
        string[] names = [.. candidates.Length == 0 ? ["AnomalyDetector"] : candidates.Select(c => c.Name),
            .. alone ? [] : Others.Select(o => o.Name)];
        output.WriteLine($"| table | rows | {string.Join(" | ", names)} | false alarms at 1 % | s | rows/s |");
        output.WriteLine($"| --- | ---: |{string.Concat(names.Select(_ => " ---: |"))} ---: | ---: | ---: |");
        var all = new List<double[]>();
        foreach (var table in tables)
        {
            var sums = new double[names.Length];
            var (alarms, seconds, rate) = (0.0, 0.0, 0.0);
            for (var seed = 0; seed < seeds; seed++)
            {
                using var scope = NewDisposeScope();
                var (train, test, isAnomaly) = table.Split(seed);
                var areas = new List<double>();
                foreach (var candidate in candidates.Length == 0 ? [null] : candidates.Cast<Candidate?>())
                {
                    var clock = Stopwatch.StartNew();
                    var varying = Enumerable.Range(0, train[0].Length).Count(c => train.Any(r => r[c] != train[0][c]));
                    using var detector = AnomalyDetector.Fit(train, new AnomalyOptions { Seed = seed,
                        Model = candidate?.For(varying, (int)(train.Length * 0.72)) });
                    seconds += clock.Elapsed.TotalSeconds / seeds;
                    clock.Restart();
                    var result = detector.Score(test);
                    rate += test.Length / clock.Elapsed.TotalSeconds / seeds;
                    areas.Add(Metrics.RocAuc(result.Scores, isAnomaly));
                    if (detector.SmallestPValue <= 0.01)
                        alarms += result.Detect(0.01).Where((odd, i) => odd && !isAnomaly[i])
                            .Count() / (double)isAnomaly.Count(a => !a) / seeds;
                }
                if (!alone)
                {
                    var (x, y) = (Rows(train), Rows(test));
                    areas.AddRange(Others.Select(o => Metrics.RocAuc(o.Fit(x, seed).Scores(y), isAnomaly)));
                }
                for (var i = 0; i < sums.Length; i++) sums[i] += areas[i] / seeds;
            }
            all.Add(sums);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {table.Name} | {table.Rows.Length} | {Numbers(sums)} | " +
                $"{alarms / Math.Max(1, candidates.Length):P2} | {seconds:F0} | {rate / Math.Max(1, candidates.Length):F0} |"));
            output.Flush();
        }
        if (all.Count == 0) return;
        var means = Enumerable.Range(0, names.Length).Select(i => all.Average(a => a[i])).ToArray();
        output.WriteLine($"| mean | | {Numbers(means)} | | | |");
        output.WriteLine(
            $"| mean below the best | | {Numbers([.. Enumerable.Range(0, names.Length).Select(i => all.Average(a => a.Max() - a[i]))])} " +
            $"| | | |");
        output.WriteLine(
            $"| times the worst | | " +
            $"{string.Join(" | ", Enumerable.Range(0, names.Length).Select(i => all.Count(a => a[i] == a.Min())))} | | | |");
    }

    private static string Numbers(double[] values) =>
        string.Join(" | ", values.Select(v => v.ToString("F4", CultureInfo.InvariantCulture)));

    private static Tensor Rows(double[][] rows) => tensor([.. rows.SelectMany(r => r)], [rows.Length, rows[0].Length]);
}
