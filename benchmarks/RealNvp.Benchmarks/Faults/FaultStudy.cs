using System.CommandLine;
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks.Faults;

/// <summary>How often each diagnostic finds each planted fault: the table of docs/diagnostics.md.</summary>
internal static class FaultStudy
{
    private const int Draws = 99;

    /// <summary>The diagnostics of the table: whether they reject.</summary>
    public static readonly (string Name, Func<ConditionalDensity, Tensor, Tensor, long, DiagnosticResult> Run)[] Diagnoses =
    [
        ("PIT", (d, t, x, seed) => Diagnostics.Pit(d, t, x, Draws, seed: seed)),
        ("CRPS", (d, t, x, seed) => Diagnostics.Crps(d, t, x, 0, Draws, seed: seed)),
        ("SBC", (d, t, x, seed) => Diagnostics.Sbc(d, t, x, Draws, seed: seed)),
        ("coverage", (d, t, x, seed) => Diagnostics.Coverage(d, t, x, Draws, seed: seed)),
        ("TARP", (d, t, x, seed) => Diagnostics.Tarp(d, t, x, draws: Draws, seed: seed)),
        ("C2ST", (d, t, x, seed) => Diagnostics.C2st(d, t, x, seed: seed)),
        ("MMD", (d, t, x, seed) => Diagnostics.Mmd(d, t, x, 199, seed: seed)),
        ("sliced W", (d, t, x, seed) => Diagnostics.SlicedWasserstein(d, t, x, 199, seed: seed)),
    ];

    public static Command Command()
    {
        var rows = new Option<int>("--rows") { Description = "Rows of true values and contexts.", DefaultValueFactory = _ => 500 };
        var repeats = new Option<int>("--repeats") { Description = "Data sets for each fault.", DefaultValueFactory = _ => 100 };
        var fault = new Option<string?>("--fault") { Description = "Only faults whose name contains this." };
        var diagnosis = new Option<string?>("--diagnosis") { Description = "Only diagnostics whose name contains this." };
        var time = new Option<bool>("--time") {
            Description = "Times SBC of 1,000 rows with 1,000 draws each of a spline flow of 5 numbers." };
        var command = new Command("diagnostics", "Counts how often each diagnostic finds planted faults of a posterior in closed form, " +
            "at the level of 5 %.") { rows, repeats, fault, diagnosis, time };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(time))
            {
                Time();
                return 0;
            }
            set_num_threads(1);
            foreach (var line in Table(parsed.GetValue(rows), parsed.GetValue(repeats), parsed.GetValue(fault),
                parsed.GetValue(diagnosis))) Console.WriteLine(line);
            return 0;
        });
        return command;
    }

    /// <summary>A table in Markdown, line by line; of what is found in a tenth
    /// of the data sets at most, in italics: it is blind there.</summary>
    public static IEnumerable<string> Table(int rows, int repeats, string? fault = null, string? diagnosis = null)
    {
        var shown = Diagnoses.Where(d => diagnosis is null || d.Name.Contains(diagnosis, StringComparison.Ordinal)).ToArray();
        yield return $"| fault | {string.Join(" | ", shown.Select(d => d.Name))} |";
        yield return $"| --- |{string.Concat(shown.Select(_ => " ---: |"))}";
        foreach (var one in Fault.All.Where(f => fault is null || f.Name.Contains(fault, StringComparison.Ordinal)))
            yield return $"| {one.Name} | " + string.Join(" | ", shown.Select(d => Cell(Found(one, d.Name, rows, repeats)))) + " |";
    }

    /// <summary>The share of data sets in which a diagnostic rejects what is claimed.</summary>
    public static double Found(Fault fault, string diagnosis, int rows, int repeats)
    {
        var (run, found) = (Diagnoses.Single(d => d.Name == diagnosis).Run, 0);
        var density = fault.Density();
        for (var repeat = 0; repeat < repeats; repeat++)
        {
            using var scope = NewDisposeScope();
            var (theta, x) = fault.Pairs(rows, 1000 + repeat);
            if (run(density, theta, x, repeat).IsRejected) found++;
        }
        return (double)found / repeats;
    }

    private static void Time()
    {
        using var scope = NewDisposeScope();
        CpuTuning.Apply();
        using var flow = new SplineFlowModel(SplineFlowOptions.Tabular(5, rows: 5000) with { ContextSize = 5, Hidden = 60 }, seed: 0);
        using var generator = new Generator(0);
        var context = randn([1000, 5], generator: generator);
        var theta = flow.Sample(1, context, seed: 1).squeeze(1);
        _ = Diagnostics.Sbc(flow, theta.narrow(0, 0, 50), context.narrow(0, 0, 50), draws: 1000);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        var result = Diagnostics.Sbc(flow, theta, context, draws: 1000);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{watch.Elapsed.TotalSeconds:F1} s, {flow.parameters().Sum(p => p.numel()):N0} weights, {get_num_threads()} threads: " +
                $"{result}"));
    }

    private static string Cell(double share)
    {
        var text = (100 * share).ToString("0", CultureInfo.InvariantCulture);
        return share >= 0.95 ? $"**{text}**" : share <= 0.1 ? $"*{text}*" : text;
    }
}
