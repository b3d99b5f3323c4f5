using System.CommandLine;
using System.Globalization;
using System.Numerics;
using System.Reflection;
using RealNvp.Operations;

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
            Description = $"Kernels that are switched off: {string.Join(", ", Kernels)}.", AllowMultipleArgumentsPerToken = true };
        var patience = new Option<double>("--patience") {
            Description = "Seconds until a library that says nothing is left out.", DefaultValueFactory = _ => 600 };
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
        Between(threads, 1, 1024);
        Between(rounds, 1, 1_000_000);
        Between(turns, 1, 1_000_000);
        Between(warmUp, 0, 86_400);
        Between(patience, 0.001, 86_400);
        device.AcceptOnlyFromAmong("cpu", "cuda");
        off.AcceptOnlyFromAmong([.. Kernels]);
        var root = new RootCommand("Times training steps, log-probabilities and samples. Run it while nothing else runs.") { name, phase,
            threads, device, rounds, turns, warmUp, patience, plain, off, peers, compare, json, table, reversible, serve, cold };

        root.Subcommands.Add(Presets.PresetStudy.Command());
        root.Subcommands.Add(OdeLoopStudy.Command());
        root.Subcommands.Add(SlowCalls.Command());
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
            try { return Run(parsed); }
            catch (BenchmarkException error)
            {
                Console.Error.WriteLine(error.Message);
                return 1;
            }
        });
        return root.Parse(args).Invoke();

        int Run(ParseResult parsed)
        {
            if (parsed.GetValue(table) is { } results)
            {
                foreach (var line in MarkdownTable.Of(Measurement.ReadAll(results)))
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
            if (Array.Exists(others, p => p.Count == 0)) throw new BenchmarkException("--peer is empty; it is a command.");
            // a file that cannot be read or written is found before the hours that a run takes
            var known = parsed.GetValue(compare) is { } file ? Measurement.ReadAll(file) : [];
            var only = parsed.GetValue(phase);
            var rows = Chosen(wanted, only);
            var conductor = new Conductor(parsed.GetValue(rounds), parsed.GetValue(turns), parsed.GetValue(warmUp),
                parsed.GetValue(threads), ours, others, parsed.GetValue(patience));
            var run = new BenchmarkRun(conductor, known, parsed.GetValue(json), only);
            run.Start();
            foreach (var row in rows) run.Time(row);
            return conductor.HasLost ? 1 : 0;
        }
    }

    /// <summary>The switches of the library.</summary>
    internal static IReadOnlyList<string> Kernels { get; } = [.. typeof(KernelSwitches)
        .GetProperties(BindingFlags.Static | BindingFlags.Public).Where(p => p.PropertyType == typeof(bool)).Select(p => p.Name)];

    /// <summary>The cases of a name or part of one that have a phase.</summary>
    /// <exception cref="BenchmarkException">There are none.</exception>
    internal static IReadOnlyList<BenchmarkCase> Chosen(string? name, string? phase)
    {
        // a whole name is that case alone
        var exact = Cases.All.Any(c => c.Name == name);
        BenchmarkCase[] named = [.. Cases.All.Where(c => name is null || c.Name == name
            || (!exact && c.Name.Contains(name, StringComparison.Ordinal)))];
        if (named.Length == 0)
            throw new BenchmarkException(
                $"No case has '{name}' in its name; there are {string.Join(", ", Cases.All.Select(c => c.Name))}.");
        BenchmarkCase[] rows = [.. named.Where(c => phase is null || c.Phases.Contains(phase))];
        return rows.Length > 0 ? rows : throw new BenchmarkException(
            $"None of {string.Join(", ", named.Select(c => c.Name))} has the phase '{phase}'; they have " +
            $"{string.Join(", ", named.SelectMany(c => c.Phases).Distinct())}.");
    }

    /// <summary>Refuses other values of an option.</summary>
    internal static void Between<T>(Option<T> option, T least, T most) where T : struct, INumber<T> =>
        option.Validators.Add(result =>
        {
            // what is no number is an error of the parser's
            if (result.Tokens is not [var token] || !T.TryParse(token.Value, CultureInfo.InvariantCulture, out var value)) return;
            if (!(value >= least && value <= most))
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"{option.Name} is {value}; expected {least} to {most}."));
        });

    // this program again, however it was started
    private static string[] Self() =>
        Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == typeof(BenchmarkCase).Assembly.GetName().Name
        ? [path]
        : ["dotnet", typeof(BenchmarkCase).Assembly.Location];
}
