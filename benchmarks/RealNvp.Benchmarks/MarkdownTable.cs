using System.Globalization;

namespace RealNvp.Benchmarks;

/// <summary>Results as the table of docs/performance-method.md: our time, and how many times longer the fastest peer took.</summary>
internal static class MarkdownTable
{
    public static IEnumerable<string> Of(IReadOnlyList<Measurement> all)
    {
        yield return "| case | phase | ms, median (min to max) | of the floor | native calls | managed | peak, MB (growth) | fastest " +
            "peer | fastest peer, tuned |";
        yield return "|---|---|---|---|---|---|---|---|---|";
        foreach (var ours in all.Where(m => m.Peer == Report.Ours))
        {
            var peers = all.Where(m => m.Peer != Report.Ours && m.Case == ours.Case && m.Phase == ours.Phase && m.Threads == ours.Threads)
                .ToList();
            yield return string.Create(CultureInfo.InvariantCulture,
                $"| {ours.Case} | {ours.Phase} | {Time(ours.Median)} ({Time(ours.Min)} to {Time(ours.Max)}) | " +
                    $"{ours.Floor / ours.Median:P0} | {ours.NativeCalls} | {ours.ManagedBytes / 1024.0:F0} KB | {ours.PeakRssMb:F0} " +
                    $"(+{Math.Max(0, ours.PeakRssMb - ours.RssBeforeMb):F0}) | {Fastest(peers.Where(p => !p.Tuned), ours)} | " +
                    $"{Fastest(peers.Where(p => p.Tuned), ours)} |");
        }
    }

    private static string Fastest(IEnumerable<Measurement> peers, Measurement ours) => peers.MinBy(p => p.Median) is { } best
        ? string.Create(CultureInfo.InvariantCulture, $"{best.Peer} {Time(best.Median)}: **{best.Median / ours.Median:F2}×**")
        : "";

    private static string Time(double ms) => ms.ToString(ms < 10 ? "F2" : ms < 100 ? "F1" : "F0", CultureInfo.InvariantCulture);
}
