using System.CommandLine;

namespace RealNvp.Benchmarks;

/// <summary>The command line.</summary>
internal static class Program
{
    public static int Main(string[] args)
    {
        var name = new Option<string?>("--case") { Description = "The case of this name, or else all whose name contains it." };
        var phase = new Option<string?>("--phase") {
            Description = "Only this phase: train, logprob or sample; of rows also encode, decode, span, collecting, scorer, scorer-sample "
                + "and cold." };
        var threads = new Option<int>("--threads") { Description = "Threads of torch and of our kernels.",
            DefaultValueFactory = _ => Environment.ProcessorCount };
        var device = new Option<string>("--device") { Description = "cpu or cuda.", DefaultValueFactory = _ => "cpu" };
        var rounds = new Option<int>("--rounds") { Description = "Timed calls of each phase.", DefaultValueFactory = _ => 40 };
        var turns = new Option<int>("--turns") {
            Description = "The most turns of each library, until the machine was at its full speed in four of them.",
            DefaultValueFactory = _ => 16 };
        var warmUp = new Option<double>("--warm-up") { Description = "Seconds of each phase before it is timed, in each library.",
            DefaultValueFactory = _ => 3 };
        var plain = new Option<bool>("--untuned") { Description = "Without CpuTuning.Apply(), as in a program that does not call it." };
        var off = new Option<string[]>("--without") {
            Description = "Kernels that are switched off: Spline, Mixture, Affine, Dense, Coupling, Chain, Sequence, Image, Winograd, " +
                "ConvNet, Residual, Loss, Leaves.",
            AllowMultipleArgumentsPerToken = true };
        var peers = new Option<string[]>("--peer") {
            Description =
            "A command that times a peer in turn with us, such as \"python3 benchmarks/peers/peers.py --peer nflows\". Any number of " +
            "them." };
        var reversible = new Option<bool>("--reversible") { Description = "A worker whose training rebuilds activations.", Hidden = true };
        var compare =
            new Option<string?>("--compare") { Description = "A file of peers' results, one JSON object a line: prints ratios to them." };
        var json = new Option<string?>("--json") { Description = "Appends all results to this file, one JSON object a line." };
        var table = new Option<string?>("--table") { Description = "Times nothing: prints the results in this file as a Markdown table." };
        var serve = new Option<bool>("--serve") { Description = "Builds one case, and times it at the commands on its input.",
            Hidden = true };
        var cold = new Option<bool>("--cold") { Description = "Builds one case, scores once, and says so.", Hidden = true };
        var root = new RootCommand("Times training steps, log-probabilities and samples. Run it while nothing else runs.") { name, phase,
            threads, device, rounds, turns, warmUp, plain, off, peers, compare, json, table, reversible, serve, cold };

        root.Subcommands.Add(Presets.PresetStudy.Command());
        root.Subcommands.Add(OdeLoopStudy.Command());
        root.Subcommands.Add(Faults.FaultStudy.Command());
        root.Subcommands.Add(Anomalies.AnomalyStudy.Command());
        root.Subcommands.Add(Anomalies.AnomalyStudy.ReportCommand());
        root.Subcommands.Add(Anomalies.ScoringSpeed.Command());
        root.Subcommands.Add(Anomalies.ChoiceStudy.Command());
        root.Subcommands.Add(OdeErrors.Command());
        root.Subcommands.Add(Scaling.ScalingStudy.StepsCommand());
        root.Subcommands.Add(Scaling.ScalingStudy.NetworkCommand());
        root.Subcommands.Add(ExchangeCost.Command());
        root.SetAction(parsed =>
        {
            if (parsed.GetValue(table) is { } results)
            {
                foreach (var line in MarkdownTable.Of([.. File.ReadLines(results).Select(Protocol.Read<Measurement>)]))
                    Console.WriteLine(line);
                return 0;
            }
            var wanted = parsed.GetValue(name);
            var cuda = parsed.GetValue(device) == "cuda";
            foreach (var kernel in parsed.GetValue(off) ?? []) AppContext.SetSwitch("RealNvp.Kernels." + kernel, false);
            if (parsed.GetValue(cold))
                return Worker.Cold(Cases.Find(wanted ?? ""), parsed.GetValue(threads), !parsed.GetValue(plain), Console.In, Console.Out);
            if (parsed.GetValue(serve))
                return Worker.Serve(Cases.Find(wanted ?? ""), parsed.GetValue(threads), cuda, !parsed.GetValue(plain), Console.In,
                    Console.Out,
                    parsed.GetValue(reversible));

            string[] ours = [.. Self(), "--device", cuda ? "cuda" : "cpu", .. (parsed.GetValue(plain) ? ["--untuned"]
                : Array.Empty<string>()),
                .. (parsed.GetValue(off) ?? []).SelectMany(k => new[] { "--without", k })];
            IReadOnlyList<string>[] others = [.. (parsed.GetValue(peers) ?? []).Select(p => (IReadOnlyList<string>)[.. p.Split(' ',
                StringSplitOptions.RemoveEmptyEntries)])];
            var known = parsed.GetValue(compare) is { } file
                ? File.ReadLines(file).Where(l => l.StartsWith('{')).Select(Protocol.Read<Measurement>).ToList() : [];
            var run = new BenchmarkRun(new Conductor(parsed.GetValue(rounds), parsed.GetValue(turns), parsed.GetValue(warmUp),
                parsed.GetValue(threads), ours, others),
                known, parsed.GetValue(json), parsed.GetValue(phase));
            run.Start();
            // a whole name is that case alone
            var exact = Cases.All.Any(c => c.Name == wanted);
            foreach (var row in Cases.All.Where(c => wanted is null || c.Name == wanted || (!exact && c.Name.Contains(wanted,
                StringComparison.Ordinal)))) run.Time(row);
            return 0;
        });
        return root.Parse(args).Invoke();
    }

    // this program again, however it was started
    private static string[] Self() =>
        Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == typeof(BenchmarkCase).Assembly.GetName().Name
        ? [path]
        : ["dotnet", typeof(BenchmarkCase).Assembly.Location];
}
