using System.Text.Json;

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

    /// <summary>Nine of ten rounds took at most so long, in ms.</summary>
    public double? P90 { get; init; }

    /// <summary>99 of 100 rounds took at most so long, in ms; null of fewer than 100 rounds.</summary>
    public double? P99 { get; init; }

    /// <summary>The collections of garbage during these rounds; null of another runtime.</summary>
    public int? Collections { get; init; }

    /// <summary>The arithmetic of the phase in matrix products and convolutions, in GFLOP.</summary>
    public double? GigaFlop { get; init; }

    /// <summary>The most multiply-adds that the machine did in this run on so many threads, in GFLOP/s.</summary>
    public double? Peak { get; init; }

    /// <summary>The rate of the fastest product of 4096×256 and 256×256 of any library in this run, in GFLOP/s.</summary>
    public double? BestProduct { get; init; }

    /// <summary>The rate of the same product in the turns of this phase, between those of the libraries: the median, in GFLOP/s.</summary>
    public double? ProductInTurns { get; init; }

    /// <summary>The rate of the median as a part of <see cref="ProductInTurns"/>: both meet the same minutes of the machine.</summary>
    public double? OfProductInTurns => ProductInTurns > 0 && GigaFlop > 0 ? GigaFlop * 1000 / Median / ProductInTurns : null;

    /// <summary>The time that the arithmetic takes at <see cref="Peak"/>, in ms.</summary>
    public double? Floor => Peak > 0 && GigaFlop > 0 ? GigaFlop / Peak * 1000 : null;

    /// <summary>The least time's rate, in GFLOP/s.</summary>
    public double? Rate => GigaFlop > 0 ? GigaFlop / Min * 1000 : null;

    /// <summary>The time that one reading of all weights took in the turns of this phase, in ms: the median, of a case that asks.</summary>
    public double? Reading { get; init; }

    /// <summary>How often it was its turn.</summary>
    public int? Turns { get; init; }

    /// <summary>The turns in which the machine was at its full speed, which alone
    /// count where each library had enough of them; else all do.</summary>
    public int? SteadyTurns { get; init; }

    /// <summary>False if a library had fewer than four steady turns, so that
    /// all turns count: the ratios may be of unequal minutes.</summary>
    public bool? IsSteady { get; init; }

    /// <summary>How fast the machine was around the turns, as a part of <see cref="Peak"/>: the median of the turns.</summary>
    public double? Speed { get; init; }

    public string? Machine { get; init; }

    public string? Runtime { get; init; }

    /// <summary>The results in a file, one JSON object a line; empty lines and comments, which begin with #, say nothing.</summary>
    /// <exception cref="BenchmarkException">The file cannot be read, or a line is no result.</exception>
    public static IReadOnlyList<Measurement> ReadAll(string path)
    {
        string[] lines;
        try { lines = File.ReadAllLines(path); }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new BenchmarkException($"'{path}' cannot be read: {error.Message}");
        }
        var all = new List<Measurement>(lines.Length);
        for (var i = 0; i < lines.Length; i++)
        {
            var line = lines[i].Trim();
            if (line.Length == 0 || line[0] == '#') continue;
            Measurement? read = null;
            try { read = Protocol.Read<Measurement>(line); }
            catch (JsonException) { }
            if (read is not { Peer: not null, Case: not null, Phase: not null, Median: > 0, Min: > 0 })
                throw new BenchmarkException($"'{path}', line {i + 1}, is no result of --json, which is one JSON object with peer, case, " +
                    $"phase, median and more: {(line.Length > 100 ? line[..100] + "..." : line)} If a run was ended there, delete the " +
                    "line.");
            all.Add(read);
        }
        return all;
    }

    public static Measurement Of(Ready ready, BenchmarkCase row, string phase, int threads, Timed first, IReadOnlyList<Timed> parts)
    {
        var times = parts.SelectMany(p => p.Times).Order().ToArray();
        var middle = times.Length / 2;
        var median = times.Length % 2 == 1 ? times[middle] : (times[middle - 1] + times[middle]) / 2;
        double Part(double part) => times[(int)Math.Ceiling(part * times.Length) - 1];
        return new(ready.Peer, row.Name, phase, threads, median, times[0], times[^1], times.Length,
            parts.Append(first).Max(p => p.PeakRssMb), first.RssBeforeMb, ready.Torch, ready.Tuned, ready.Params)
        {
            P90 = Part(0.9),
            P99 = times.Length < 100 ? null : Part(0.99),
            GigaFlop = row.GigaFlopOf(phase),
            NativeCalls = first.NativeCalls,
            NestedCalls = first.NestedCalls,
            ManagedBytes = first.ManagedBytes,
            WorkingMb = first.WorkingMb,
            Collections = parts.Sum(p => p.Collections),
        };
    }
}
