using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using RealNvp.Scoring;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks;

/// <summary>What one row costs, by the scorer without libtorch and by the library, beside the time to read the weights once.</summary>
internal static class RowSpeed
{
    private static readonly TimeSpan warmUp = TimeSpan.FromSeconds(0.4), measured = TimeSpan.FromSeconds(0.6);

    public static Command Command()
    {
        var command = new Command("rows", "Times one row and few rows on one thread: least times of many calls.");
        command.SetAction(_ =>
        {
            CpuTuning.Apply();
            set_num_threads(1);
            Run(Console.Out, measured);
            return 0;
        });
        return command;
    }

    /// <summary>Writes a row for each model.</summary>
    public static void Run(TextWriter output, TimeSpan time)
    {
        output.WriteLine("| model | weights | reading once, µs | scorer, 1 row, µs | its sample | 96 rows, each | library, 1 row, µs " +
            "| median, p99 of 10,000 calls | encode | decode | sample | a span | 4 rows, each | 16 rows, each |");
        output.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (var (name, options) in new (string, ModelOptions)[]
        {
            ("RealNvpOptions.Toy2D", RealNvpOptions.Toy2D), ("RealNvpOptions.Tabular(10)", RealNvpOptions.Tabular(10)),
            ("SplineFlowOptions.Toy2D", SplineFlowOptions.Toy2D), ("SplineFlowOptions.Tabular(10)", SplineFlowOptions.Tabular(10)),
            ("MafOptions.Tabular(10)", MafOptions.Tabular(10)), ("IafOptions.Tabular(10)", IafOptions.Tabular(10)),
        }) Row(output, name, options, time);
    }

    private static void Row(TextWriter output, string name, ModelOptions options, TimeSpan time)
    {
        using var model = options.NewModel(seed: 1);
        model.eval();
        using var file = new MemoryStream();
        model.Save(file);
        file.Position = 0;
        var scorer = FlowScorer.Load(file);
        var weights = model.parameters().Sum(p => p.numel());
        var reading = new WeightReading(model.parameters());
        using Tensor one = randn(1, options.Shape[0]), four = randn(4, options.Shape[0]), some = randn(16, options.Shape[0]);
        float[] row = one.data<float>().ToArray(), x = new float[96 * row.Length], logProb = new float[96], sample = new float[row.Length];
        for (var i = 0; i < x.Length; i++) x[i] = row[i % row.Length];
        string[] times =
        [
            Best(() => reading.Read(), 1, time), Best(() => scorer.LogProbOfRow(row), 1, time),
            Best(() => scorer.Sample(sample, 1), 1, time), Best(() => scorer.LogProb(x, logProb), 96, time),
            Best(() => model.LogProb(one).Dispose(), 1, time),
            Percentiles(() => model.LogProb(one).Dispose(), time),
            Best(() => model.Encode(one).Dispose(), 1, time),
            Best(() => model.Decode(one).Dispose(), 1, time),
            Best(() => model.Sample(1, seed: 1).Dispose(), 1, time),
            Best(() => model.LogProbInto(row, logProb), 1, time),
            Best(() => model.LogProb(four).Dispose(), 4, time),
            Best(() => model.LogProb(some).Dispose(), 16, time),
        ];
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| `{name}` | {weights / 1e6:F2} M | {string.Join(" | ", times)} |"));
    }

    private static string Percentiles(Action action, TimeSpan time)
    {
        var all = new double[time < measured ? 100 : 10_000];
        for (var i = 0; i < all.Length; i++)
        {
            var start = Stopwatch.GetTimestamp();
            action();
            all[i] = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        }
        Array.Sort(all);
        return string.Create(CultureInfo.InvariantCulture, $"{all[all.Length / 2]:F0}, {all[all.Length * 99 / 100]:F0}");
    }

    private static string Best(Action action, int rows, TimeSpan time)
    {
        var begun = Stopwatch.GetTimestamp();
        var warm = time < warmUp ? time : warmUp;
        while (Stopwatch.GetElapsedTime(begun) < warm) action();
        var best = TimeSpan.MaxValue;
        for (begun = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begun) < time;)
        {
            var start = Stopwatch.GetTimestamp();
            action();
            var took = Stopwatch.GetElapsedTime(start);
            if (took < best) best = took;
        }
        return (best.TotalMicroseconds / rows).ToString(best.TotalMicroseconds / rows < 10 ? "F1" : "F0", CultureInfo.InvariantCulture);
    }
}
