using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks.Presets;

/// <summary>Trains the <c>Tabular</c> presets, or changed ones, on the tables of a folder, and
/// prints what held-out rows and rows with an odd value score: docs/presets.md.</summary>
internal static class PresetStudy
{
    public static Command Command()
    {
        var folder = new Argument<string>("folder") { Description = "A folder of tables as .npy or .npy.gz." };
        var rows = new Option<int[]>("--rows") { Description = "How many rows to train on.", DefaultValueFactory = _ => [1000, 5000],
            AllowMultipleArgumentsPerToken = true };
        var candidates =
            new Option<string[]>("--candidate") { Description = "Models, such as Maf:Hidden=64,Base=StudentT; the presets otherwise.",
                DefaultValueFactory = _ => ["RealNvp", "Nice", "Spline", "Maf", "MafSpline"], AllowMultipleArgumentsPerToken = true };
        var steps = new Option<int>("--steps") { Description = "The most steps of a training, which stops early.",
            DefaultValueFactory = _ => 2000 };
        var seed = new Option<int>("--seed") { Description = "Chooses rows, noise and initial weights.", DefaultValueFactory = _ => 0 };
        var table = new Option<string?>("--table") { Description = "Only tables whose name contains this." };
        var command = new Command("presets",
            "Compares presets of tables by held-out log-densities and by those of rows with one value moved 5 deviations.") { folder, rows,
            candidates, steps, seed, table };
        command.SetAction(parsed =>
        {
            set_num_threads(1);
            var files = NpyTable.Files(parsed.GetRequiredValue(folder)).Where(f => parsed.GetValue(table) is not { } part
                || Path.GetFileName(f).Contains(part, StringComparison.Ordinal));
            Run(Console.Out, files, parsed.GetRequiredValue(rows), [.. parsed.GetRequiredValue(candidates).Select(Candidate.Parse)],
                parsed.GetValue(steps), parsed.GetValue(seed));
            return 0;
        });
        return command;
    }

    /// <summary>Trains each candidate on each table, and writes a row of Markdown for each.</summary>
    public static void Run(TextWriter output, IEnumerable<string> files, IReadOnlyList<int> rows, Candidate[] candidates, int steps,
        int seed)
    {
        output.WriteLine("| table | rows | model | weights | epochs | s | mean | 1 % | least | moved: mean | 1 % | least | area |");
        output.WriteLine("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        foreach (var file in files)
            foreach (var count in rows) Compare(output, file, count, candidates, steps, seed);
    }

    private static void Compare(TextWriter output, string file, int count, Candidate[] candidates, int steps, int seed)
    {
        using var scope = NewDisposeScope();
        var data = StudyData.Of(NpyTable.Read(file), count, seed);
        var (train, heldOut, moved) = (Rows(data.Train), Rows(data.HeldOut), Rows(data.Moved));
        var name = Path.GetFileName(file).Split('.', '-')[0];
        var gaussian = Gaussian.Fit(train);
        Print(output, name, data.Train.Length, "Gaussian", 0, 0, 0, gaussian(heldOut), gaussian(moved));
        foreach (var candidate in candidates)
        {
            using var inner = NewDisposeScope();
            var clock = Stopwatch.StartNew();
            manual_seed(seed);
            using var model = candidate.For(data.Features, data.Train.Length).NewModel();
            var batch = data.Train.Length < 3000 ? 64 : data.Train.Length < 10000 ? 128 : 256;
            var perEpoch = Math.Max(1, data.Train.Length * 9 / 10 / batch);
            var options = TrainingOptions.For(model.ModelOptions) with { BatchSize = batch, Epochs = Math.Max(1, steps / perEpoch),
                ValidationFraction = 0.1, Patience = 12, Seed = seed };
            int epochs;
            using (var trainer = new Trainer(model, options))
            {
                var rows = TrainingData.From(train);
                epochs = trainer.Fit(rows).History.Count;
            }
            var time = clock.Elapsed.TotalSeconds;
            Print(output, name, data.Train.Length, candidate.Name, model.parameters().Sum(p => p.numel()), epochs, time,
                LogProb(model, heldOut), LogProb(model, moved));
        }
    }

    private static Tensor LogProb(Flow model, Tensor rows)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        return scope.MoveToOuter(model.LogProb(rows));
    }

    private static Tensor Rows(double[][] rows) =>
        tensor([.. rows.SelectMany(r => r.Select(v => (float)v))], [rows.Length, rows[0].Length]);

    private static void Print(TextWriter output, string table, int rows, string model, long weights, int epochs, double seconds,
        Tensor heldOut, Tensor moved)
    {
        var (first, second) = (heldOut.to(float64).data<double>().ToArray(), moved.to(float64).data<double>().ToArray());
        var (held, far) = (Scores.Of(first), Scores.Of(second));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {table} | {rows} | {model} | {weights} | {epochs} | {seconds:F0} | {held.Mean:F2} | {held.Low:F1} | {held.Least:F0} | " +
                $"{far.Mean:F1} | {far.Low:F0} | {far.Least:F0} | {Scores.Area(first, second):F3} |"));
    }
}
