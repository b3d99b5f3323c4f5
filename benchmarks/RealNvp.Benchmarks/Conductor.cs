namespace RealNvp.Benchmarks;

/// <summary>Runs a case in our worker and in the peers' at the same time of day: a few rounds of one, a few of the next, and round again.</summary>
internal sealed class Conductor(int rounds, int threads, IReadOnlyList<string> ours, IReadOnlyList<IReadOnlyList<string>> peers)
{
    // between two turns the threads of the one before fall asleep
    private static readonly TimeSpan pause = TimeSpan.FromMilliseconds(60);
    private const int Turns = 4, WarmUp = 3;

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
                var parts = workers.ConvertAll(_ => new List<Timed>());
                for (var turn = 0; turn < Turns; turn++)
                    for (var i = 0; i < workers.Count; i++)
                    {
                        if (warm[i] is null) continue;
                        Thread.Sleep(pause);
                        if (workers[i].Time(phase, Math.Max(1, rounds / Turns)) is { } timed) parts[i].Add(timed);
                    }
                for (var i = 0; i < workers.Count; i++)
                    if (warm[i] is { } first && parts[i].Count > 0) yield return Measurement.Of(workers[i].Ready, row.Name, threads, first, parts[i]);
            }
        }
        finally { workers.ForEach(w => w.Dispose()); }
    }

    private static IEnumerable<WorkerProcess> Started(IReadOnlyList<string> command) => WorkerProcess.Start(command) is { } worker ? [worker] : [];
}
