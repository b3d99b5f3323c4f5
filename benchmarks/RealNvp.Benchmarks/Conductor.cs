using System.Diagnostics;

namespace RealNvp.Benchmarks;

/// <summary>Runs a case in our worker and in the peers' at the same time of
/// day: a few rounds of one, a few of the next, and round again.</summary>
/// <param name="rounds">Timed calls of each phase.</param>
/// <param name="mostTurns">The most turns of each library.</param>
/// <param name="warmUp">Seconds of each phase before it is timed.</param>
/// <param name="threads">Threads of torch and of our kernels.</param>
/// <param name="ours">What starts a worker of ours.</param>
/// <param name="peers">What starts those of the peers.</param>
/// <param name="patience">Seconds until a worker that says nothing is left out.</param>
internal sealed class Conductor(int rounds, int mostTurns, double warmUp, int threads, IReadOnlyList<string> ours,
    IReadOnlyList<IReadOnlyList<string>> peers, double patience = 600)
{
    // between two turns the threads of the one before fall asleep
    private static readonly TimeSpan pause = TimeSpan.FromMilliseconds(60);
    private const int Turns = 8;

    // a turn counts where the machine was this fast, as a part of its best, before and after it; so many must, in each library
    private const double Steady = 0.85;
    private const int EnoughSteady = Turns / 2;

    // all libraries are warmed up alike: three rounds at a time, for so long and no longer than it takes. The JIT compiles the hot
    // methods of ours for some 2 s: a step of training takes twice as long before. If it is not done by then, which is that it has
    // compiled nothing for a while, all wait longer, but not for ever: something may be compiled now and then
    private const int WarmRounds = 3, MostWarm = 10;
    private static readonly TimeSpan still = TimeSpan.FromSeconds(0.6);
    private readonly TimeSpan warm = TimeSpan.FromSeconds(warmUp);
    private readonly TimeSpan patience = TimeSpan.FromSeconds(patience);

    // the phase that reads all weights once
    private const string Read = "read";

    // calls of the product in a turn
    private const int ProductRounds = 10;

    private readonly Dictionary<int, MachineProbe> probes = [];

    // the fastest product of each number of threads: who multiplies it, and how
    private readonly Dictionary<int, (IReadOnlyList<string> Command, string Phase, double Rate)> products = [];

    /// <summary>The threads of all libraries, unless a case says otherwise.</summary>
    public int Threads => threads;

    /// <summary>The machine's peak of so many threads as this run has found it so far, in GFLOP/s.</summary>
    public double Peak(BenchmarkCase row) => Probe(row).Best;

    /// <summary>Whether a worker was given up, so that something is missing.</summary>
    public bool HasLost { get; private set; }

    /// <summary>The rate of the fastest product of 4096×256 and 256×256 on so many threads, in GFLOP/s; null if none was timed.</summary>
    public double? BestProduct(int count) => products.TryGetValue(count, out var best) ? best.Rate : null;

    /// <summary>Times that product in all libraries, and keeps the fastest one, to time it in turn with the cases to come.</summary>
    public IEnumerable<Measurement> Products(int count) => Run(ProductWorkload.Case with { Threads = count });

    /// <summary>Times the phases of a case, ours first.</summary>
    /// <exception cref="BenchmarkException">A program is not there or is no worker, or our own gave no answer.</exception>
    public IEnumerable<Measurement> Run(BenchmarkCase row)
    {
        var workers = new List<WorkerProcess>();
        try
        {
            foreach (var command in Commands(row))
            {
                try
                {
                    if (WorkerProcess.Start(command, patience) is { } worker) workers.Add(worker);
                }
                // the product comes first: what cannot do that is a mistake in the command
                catch (BenchmarkException error) when (workers.Count > 0 && row.Name != ProductWorkload.Name)
                {
                    HasLost = true;
                    Console.Error.WriteLine($"Left out of {row.Name}: {error.Message}");
                }
            }
            using var product = row.IsOfProducts && products.TryGetValue(row.Threads ?? threads, out var best)
                ? WorkerProcess.Start(best.Command, patience) : null;
            foreach (var phase in row.Phases)
            {
                foreach (var measured in phase == "cold" ? Cold(row, workers) : Timed(row, phase, workers, product))
                    yield return measured;
                // a ratio needs ours
                if (workers.Count == 0 || workers[0] is { IsOut: true } or { Ready.Peer: not Report.Ours })
                    throw new BenchmarkException($"Our own worker gave no answer to {row.Name}, {phase}.");
            }
        }
        finally
        {
            HasLost |= workers.Exists(w => w.IsOut);
            workers.ForEach(w => w.Dispose());
        }
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
        var firsts = workers.ConvertAll(w => Warm(w, phase, WarmRounds * row.Repeats, warm));
        var parts = workers.ConvertAll(_ => new List<(Timed Timed, double Rate)>());
        List<(Timed Timed, double Rate)> ofProduct = [], ofReading = [];
        var reads = row.Phases.Contains(Read) && phase != Read;
        var perTurn = Math.Max(1, rounds * row.Repeats / Turns);
        for (var turn = 0; turn < mostTurns && firsts.Exists(f => f is not null)
            && (turn < Turns || workers.Zip(parts).Any(p => !p.First.IsOut && p.Second.Count > 0
                && Good(p.Second, probe).Count < EnoughSteady)); turn++)
        {
            for (var i = 0; i < workers.Count; i++)
                if (firsts[i] is not null && !workers[i].IsOut) Turn(workers[i], phase, perTurn, probe, parts[i]);
            if (reads) Turn(workers[0], Read, perTurn, probe, ofReading);
            if (product is not null) Turn(product, products[row.Threads ?? threads].Phase, ProductRounds, probe, ofProduct);
        }
        // one rule for all: a ratio of a good minute to a bad one would mean nothing
        for (var i = 0; i < workers.Count; i++)
            if (workers[i].IsOut) parts[i].Clear();
        var isSteady = parts.TrueForAll(p => p.Count == 0 || Good(p, probe).Count >= EnoughSteady);
        List<Timed> Counting(List<(Timed Timed, double Rate)> all) => isSteady ? Good(all, probe) : all.ConvertAll(p => p.Timed);
        var timesOfProduct = Counting(ofProduct).SelectMany(t => t.Times).Order().ToArray();
        var timesOfReading = Counting(ofReading).SelectMany(t => t.Times).Order().ToArray();
        for (var i = 0; i < workers.Count; i++)
        {
            if (firsts[i] is not { } first || parts[i].Count == 0) continue;
            var measured = Measurement.Of(workers[i].Ready, row, phase, row.Threads ?? threads, first, Counting(parts[i])) with {
                Turns = parts[i].Count, SteadyTurns = Good(parts[i], probe).Count, IsSteady = isSteady,
                Speed = parts[i].Select(p => p.Rate).Order().ElementAt(parts[i].Count / 2) / probe.Best,
                Reading = timesOfReading.Length > 0 ? timesOfReading[timesOfReading.Length / 2] : null,
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
        var libraries = workers.Where(w => !w.IsOut && w.Ready.Peer != Report.Reversible).ToArray();
        var times = Array.ConvertAll(libraries, _ => new List<(double Milliseconds, Timed Line)>());
        for (var turn = 0; turn < Turns; turn++)
            for (var i = 0; i < libraries.Length; i++)
                // one that could not the first time will not
                if (turn == times[i].Count && WorkerProcess.Cold(libraries[i].Command, patience) is { } cold) times[i].Add(cold);
        for (var i = 0; i < libraries.Length; i++)
        {
            if (times[i].Count == 0) continue;
            var timed = new Timed("cold", [.. times[i].Select(t => t.Milliseconds)], times[i].Max(t => t.Line.PeakRssMb), 0);
            yield return Measurement.Of(libraries[i].Ready, row, "cold", row.Threads ?? threads, timed, [timed]);
        }
    }

    /// <summary>Whether to go on warming up after so long, the last of which without anything compiled.</summary>
    internal static bool IsCold(TimeSpan since, TimeSpan sinceCompiled, TimeSpan warm) =>
        since < warm || (sinceCompiled < still && since < MostWarm * warm);

    /// <summary>Some rounds and again, until the time to warm up has gone and the JIT is done; then what a worker of ours
    /// counts.</summary>
    internal static Timed? Warm(WorkerProcess worker, string phase, int count, TimeSpan warm)
    {
        Timed? first = null;
        long? compiled = null;
        var clock = Stopwatch.StartNew();
        for (var since = Stopwatch.StartNew(); first is null || IsCold(clock.Elapsed, since.Elapsed, warm);)
        {
            if (worker.Time(phase, count) is not { } timed) return null;
            first ??= timed;
            if (timed.Compiled == compiled) continue;
            compiled = timed.Compiled;
            since.Restart();
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
