namespace RealNvp.Benchmarks;

/// <summary>One line of the result: who ran what, and how long it took.</summary>
internal sealed record Measurement(string Peer, string Case, string Phase, int Threads, double Median, double Min, double Max, int Rounds,
    double PeakRssMb, double RssBeforeMb, string Torch, bool Tuned, long Params)
{
    public long? NativeCalls { get; init; }
    public long? NestedCalls { get; init; }
    public long? ManagedBytes { get; init; }

    /// <summary>The most native memory in use during the phase beyond that before it, in MB.</summary>
    public double? WorkingMb { get; init; }

    /// <summary>The time that its matrix products and convolutions need at the rate of <c>--gigaflops</c>, in ms.</summary>
    public double? Floor { get; init; }

    /// <summary>How often it was its turn.</summary>
    public int? Turns { get; init; }

    /// <summary>The turns in which the machine was at its full speed, which alone
    /// count where each library had enough of them; else all do.</summary>
    public int? SteadyTurns { get; init; }

    public string? Machine { get; init; }

    public string? Runtime { get; init; }

    public static Measurement Of(Ready ready, string name, int threads, Timed first, IReadOnlyList<Timed> parts)
    {
        var times = parts.SelectMany(p => p.Times).Order().ToArray();
        var middle = times.Length / 2;
        var median = times.Length % 2 == 1 ? times[middle] : (times[middle - 1] + times[middle]) / 2;
        return new(ready.Peer, name, parts[0].Phase, threads, median, times[0], times[^1], times.Length,
            parts.Append(first).Max(p => p.PeakRssMb), first.RssBeforeMb, ready.Torch, ready.Tuned, ready.Params)
        {
            NativeCalls = first.NativeCalls,
            NestedCalls = first.NestedCalls,
            ManagedBytes = first.ManagedBytes,
            WorkingMb = first.WorkingMb,
        };
    }
}
