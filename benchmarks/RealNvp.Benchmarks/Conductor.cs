namespace RealNvp.Benchmarks;

/// <summary>Runs a case in our worker and in the peers' at the same time of
/// day: a few rounds of one, a few of the next, and round again.</summary>
internal sealed class Conductor(int rounds, int mostTurns, int threads, IReadOnlyList<string> ours,
    IReadOnlyList<IReadOnlyList<string>> peers)
{
    // between two turns the threads of the one before fall asleep
    private static readonly TimeSpan pause = TimeSpan.FromMilliseconds(60);
    private const int Turns = 8, WarmUp = 3;

    // a turn counts where the machine was this fast, as a part of its best, before and after it
    private const double Steady = 0.85;

    private readonly MachineProbe probe = new(threads);

    /// <summary>Times the phases of a case, ours first.</summary>
    public IEnumerable<Measurement> Run(BenchmarkCase row)
    {
        var workers = new List<WorkerProcess>();
        try
        {
            workers.AddRange(Started([.. ours, "--serve", "--case", row.Name]));
            foreach (var peer in peers) workers.AddRange(Started([.. peer, "--serve", "--case", row.ComparesWith]));
            foreach (var phase in row.Phases)
            {
                var warm = workers.ConvertAll(w => w.Time(phase, WarmUp));
                var parts = workers.ConvertAll(_ => new List<(Timed Timed, double Rate)>());
                for (var turn = 0; turn < mostTurns
                    && (turn < Turns || parts.Exists(p => p.Count > 0 && Good(p).Count < Turns / 2)); turn++)
                    for (var i = 0; i < workers.Count; i++)
                    {
                        if (warm[i] is null) continue;
                        Thread.Sleep(pause);
                        var before = probe.Measure();
                        if (workers[i].Time(phase, Math.Max(1, rounds / Turns)) is not { } timed) continue;
                        Thread.Sleep(pause);
                        parts[i].Add((timed, Math.Min(before, probe.Measure())));
                    }
                // one rule for all: a ratio of a good minute to a bad one would mean nothing
                var isSteady = parts.TrueForAll(p => p.Count == 0 || Good(p).Count >= Turns / 2);
                for (var i = 0; i < workers.Count; i++)
                {
                    if (warm[i] is not { } first || parts[i].Count == 0) continue;
                    var good = Good(parts[i]);
                    yield return Measurement.Of(workers[i].Ready, row.Name, threads, first, isSteady ? good
                        : parts[i].ConvertAll(p => p.Timed)) with { Turns = parts[i].Count, SteadyTurns = good.Count };
                }
            }
        }
        finally { workers.ForEach(w => w.Dispose()); }
    }

    private List<Timed> Good(List<(Timed Timed, double Rate)> parts) =>
        [.. parts.Where(p => p.Rate >= Steady * probe.Best).Select(p => p.Timed)];

    private static IEnumerable<WorkerProcess> Started(IReadOnlyList<string> command) => WorkerProcess.Start(command) is { } worker
        ? [worker] : [];
}
