using System.Diagnostics;

namespace RealNvp.Benchmarks;

/// <summary>Runs a case in our worker and in the peers' at the same time of
/// day: a few rounds of one, a few of the next, and round again.</summary>
internal sealed class Conductor(int rounds, int mostTurns, double warmUp, int threads, IReadOnlyList<string> ours,
    IReadOnlyList<IReadOnlyList<string>> peers)
{
    // between two turns the threads of the one before fall asleep
    private static readonly TimeSpan pause = TimeSpan.FromMilliseconds(60);
    private const int Turns = 8;

    // a turn counts where the machine was this fast, as a part of its best, before and after it; so many must, in each library
    private const double Steady = 0.85;
    private const int EnoughSteady = Turns / 2;

    // all libraries are warmed up alike: three rounds at a time, for so long and no longer than it takes. The JIT compiles the hot
    // methods of ours for some 2 s: a step of training takes twice as long before
    private const int WarmRounds = 3;
    private readonly TimeSpan warm = TimeSpan.FromSeconds(warmUp);

    private const int ProductRounds = 10;

    private readonly Dictionary<int, MachineProbe> probes = [];

    // the fastest product of each number of threads: who multiplies it, and how
    private readonly Dictionary<int, (IReadOnlyList<string> Command, string Phase, double Rate)> products = [];

    /// <summary>The threads of all libraries, unless a case says otherwise.</summary>
    public int Threads => threads;

    /// <summary>The machine's peak of so many threads as this run has found it so far, in GFLOP/s.</summary>
    public double Peak(BenchmarkCase row) => Probe(row).Best;

    /// <summary>The rate of the fastest product of 4096×256 and 256×256 on so many threads, in GFLOP/s; null if none was timed.</summary>
    public double? BestProduct(int count) => products.TryGetValue(count, out var best) ? best.Rate : null;

    /// <summary>Times that product in all libraries, and keeps the fastest one, to time it in turn with the cases to come.</summary>
    public IEnumerable<Measurement> Products(int count) => Run(ProductWorkload.Case with { Threads = count });

    /// <summary>Times the phases of a case, ours first.</summary>
    public IEnumerable<Measurement> Run(BenchmarkCase row)
    {
        var workers = new List<WorkerProcess>();
        try
        {
            foreach (var command in Commands(row))
                if (WorkerProcess.Start([.. command, "--serve"]) is { } worker) workers.Add(worker);
            using var product = row.IsOfProducts && products.TryGetValue(row.Threads ?? threads, out var best)
                ? WorkerProcess.Start(best.Command) : null;
            foreach (var phase in row.Phases)
                foreach (var measured in phase == "cold" ? Cold(row, workers) : Timed(row, phase, workers, product))
                    yield return measured;
        }
        finally { workers.ForEach(w => w.Dispose()); }
    }

    private IEnumerable<IReadOnlyList<string>> Commands(BenchmarkCase row)
    {
        string[] threadsOf = ["--threads", $"{row.Threads ?? threads}"];
        yield return [.. ours, "--case", row.Name, .. threadsOf];
        if (row.Reversible) yield return [.. ours, "--case", row.Name, .. threadsOf, "--reversible"];
        foreach (var peer in peers) yield return [.. peer, "--case", row.ComparesWith, .. threadsOf];
    }

    private IEnumerable<Measurement> Timed(BenchmarkCase row, string phase, List<WorkerProcess> workers, WorkerProcess? product)
    {
        var probe = Probe(row);
        var firsts = workers.ConvertAll(w => Warm(w, phase));
        var parts = workers.ConvertAll(_ => new List<(Timed Timed, double Rate)>());
        var ofProduct = new List<(Timed Timed, double Rate)>();
        var perTurn = Math.Max(1, rounds * row.Repeats / Turns);
        for (var turn = 0; turn < mostTurns
            && (turn < Turns || parts.Exists(p => p.Count > 0 && Good(p, probe).Count < EnoughSteady)); turn++)
        {
            for (var i = 0; i < workers.Count; i++)
                if (firsts[i] is not null) Turn(workers[i], phase, perTurn, probe, parts[i]);
            if (product is not null) Turn(product, products[row.Threads ?? threads].Phase, ProductRounds, probe, ofProduct);
        }
        // one rule for all: a ratio of a good minute to a bad one would mean nothing
        var isSteady = parts.TrueForAll(p => p.Count == 0 || Good(p, probe).Count >= EnoughSteady);
        List<Timed> Counting(List<(Timed Timed, double Rate)> all) => isSteady ? Good(all, probe) : all.ConvertAll(p => p.Timed);
        var timesOfProduct = Counting(ofProduct).SelectMany(t => t.Times).Order().ToArray();
        for (var i = 0; i < workers.Count; i++)
        {
            if (firsts[i] is not { } first || parts[i].Count == 0) continue;
            var measured = Measurement.Of(workers[i].Ready, row, phase, row.Threads ?? threads, first, Counting(parts[i])) with {
                Turns = parts[i].Count, SteadyTurns = Good(parts[i], probe).Count, IsSteady = isSteady,
                Speed = parts[i].Select(p => p.Rate).Order().ElementAt(parts[i].Count / 2) / probe.Best,
                ProductInTurns = timesOfProduct.Length > 0
                    ? ProductWorkload.GigaFlop * 1000 / timesOfProduct[timesOfProduct.Length / 2] : null };
            if (row.Name == ProductWorkload.Name && measured.Rate > (BestProduct(measured.Threads) ?? 0))
                products[measured.Threads] = (workers[i].Command, phase, measured.Rate.Value);
            yield return measured;
        }
    }

    private static void Turn(WorkerProcess worker, string phase, int count, MachineProbe probe, List<(Timed Timed, double Rate)> to)
    {
        Thread.Sleep(pause);
        var before = probe.Measure();
        if (worker.Time(phase, count) is not { } timed) return;
        Thread.Sleep(pause);
        to.Add((timed, Math.Min(before, probe.Measure())));
    }

    /// <summary>Processes from their start to their first answer, in turn. A process is no loop: the machine's rate says little.</summary>
    private IEnumerable<Measurement> Cold(BenchmarkCase row, List<WorkerProcess> workers)
    {
        var commands = Commands(row).Where(c => !c.Contains("--reversible")).ToArray();
        var times = commands.Select(_ => new List<(double Milliseconds, Timed Line)>()).ToArray();
        for (var turn = 0; turn < Turns; turn++)
            for (var i = 0; i < commands.Length; i++)
                if (WorkerProcess.Cold([.. commands[i], "--cold"]) is { } cold) times[i].Add(cold);
        foreach (var measured in times.Zip(workers).Where(t => t.First.Count > 0))
        {
            var timed = new Timed("cold", [.. measured.First.Select(t => t.Milliseconds)], measured.First.Max(t => t.Line.PeakRssMb), 0);
            yield return Measurement.Of(measured.Second.Ready, row, "cold", row.Threads ?? threads, timed, [timed]);
        }
    }

    /// <summary>Three rounds and again, until the time to warm up has gone; then what a worker of ours counts.</summary>
    private Timed? Warm(WorkerProcess worker, string phase)
    {
        Timed? first = null;
        for (var clock = Stopwatch.StartNew(); first is null || clock.Elapsed < warm;)
        {
            if (worker.Time(phase, WarmRounds) is not { } timed) return null;
            first ??= timed;
        }
        return worker.Count(phase) is { } counted ? counted with { RssBeforeMb = first.RssBeforeMb, PeakRssMb = first.PeakRssMb } : first;
    }

    private MachineProbe Probe(BenchmarkCase row)
    {
        var count = row.Threads ?? threads;
        if (!probes.TryGetValue(count, out var probe)) probes[count] = probe = new MachineProbe(count);
        return probe;
    }

    private static List<Timed> Good(List<(Timed Timed, double Rate)> parts, MachineProbe probe) =>
        [.. parts.Where(p => p.Rate >= Steady * probe.Best).Select(p => p.Timed)];
}
