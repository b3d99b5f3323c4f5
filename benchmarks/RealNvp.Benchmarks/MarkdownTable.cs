using System.Globalization;

namespace RealNvp.Benchmarks;

/// <summary>Results as the tables of docs/performance-method.md: our time, and how many times longer the
/// fastest peer took. A table for each machine and number of threads that is in the results.</summary>
internal static class MarkdownTable
{
    public static IEnumerable<string> Of(IReadOnlyList<Measurement> all)
    {
        foreach (var run in all.GroupBy(m => (m.Machine, m.Runtime, m.Threads)))
        {
            var (peak, product) = (run.Max(m => m.Peak), run.Max(m => m.BestProduct));
            yield return "";
            yield return string.Create(CultureInfo.InvariantCulture,
                $"{run.Key.Machine}; {run.Key.Runtime}; threads: {run.Key.Threads}. ") +
                string.Create(CultureInfo.InvariantCulture, $"Multiply-adds: {peak:F0} GFLOP/s at the most") +
                (product > 0 ? string.Create(CultureInfo.InvariantCulture, $", the fastest product: {product:F0} GFLOP/s.") : ".");
            yield return "";
            yield return "| case | phase | ms: median (least; 90 %; 99 %) | of the peak | of the best product (and in its turns) " +
                "| readings of the weights | native calls | managed | peak, MB (growth) | steady turns | fastest peer " +
                "| fastest peer, tuned |";
            yield return "|---|---|---|---|---|---|---|---|---|---|---|---|";
            foreach (var ours in run.Where(m => m.Peer is Report.Ours or Report.Reversible && m.Phase != "read"))
                // what the machine can do is what it did at its best in the whole run, also after this case
                yield return Row(ours with { Peak = peak, BestProduct = product }, run);
        }
        if (all.Any(m => m.IsSteady == false))
        {
            yield return "";
            yield return "~: a library had fewer than four turns in which the machine was at its full speed, so that all turns count, " +
                "and the ratio may compare unequal minutes.";
        }
    }

    private static string Row(Measurement ours, IEnumerable<Measurement> run)
    {
        var peers = run.Where(m => m.Peer is not (Report.Ours or Report.Reversible) && m.Case == ours.Case && m.Phase == ours.Phase)
            .ToList();
        var name = ours.Peer == Report.Reversible ? ours.Case + ", reversible" : ours.Case;
        return string.Create(CultureInfo.InvariantCulture,
            $"| {name} | {ours.Phase}{Collections(ours)} | {Time(ours.Median)} ({Time(ours.Min)}; " +
                $"{Time(ours.P90)}{(ours.P99 is { } p ? "; " + Time(p) : "")}) | " +
            $"{(ours.Reading is null ? Part(ours.Floor / ours.Median) : "")} | " +
            $"{(ours.Reading is null ? Part(ours.GigaFlop * 1000 / ours.BestProduct / ours.Median) : "")}" +
            $"{(ours.OfProductInTurns is { } part ? $" ({Part(part)})" : "")} | " +
            $"{(ours.Phase == "cold" ? "" : (ours.Median / ours.Reading)?.ToString("F1", CultureInfo.InvariantCulture))} | " +
            $"{ours.NativeCalls} | {(ours.ManagedBytes is { } bytes ? $"{bytes / 1024.0:F0} KB" : "")} | " +
            $"{ours.PeakRssMb:F0}{(ours.RssBeforeMb > 0 ? $" (+{Math.Max(0, ours.PeakRssMb - ours.RssBeforeMb):F0})" : "")} | " +
            $"{(ours.Turns is { } turns ? $"{ours.SteadyTurns} of {turns}" : "")} | " +
            $"{Fastest(peers.Where(p => !p.Tuned), ours)} | {Fastest(peers.Where(p => p.Tuned), ours)} |");
    }

    private static string Collections(Measurement ours) => ours.Phase == "collecting" && ours.Collections is { } collections
        ? string.Create(CultureInfo.InvariantCulture, $" ({collections} collections in {ours.Rounds} calls)") : "";

    private static string Fastest(IEnumerable<Measurement> peers, Measurement ours) => peers.MinBy(p => p.Median) is { } best
        ? string.Create(CultureInfo.InvariantCulture,
            $"{best.Peer} {Time(best.Median)}: {(ours.IsSteady == false ? "~" : "")}**{best.Median / ours.Median:F2}×**")
        : "";

    private static string Part(double? part) => part is > 0 ? part.Value.ToString("P0", CultureInfo.InvariantCulture) : "";

    private static string Time(double? ms) =>
        ms?.ToString(ms < 0.1 ? "F4" : ms < 1 ? "F3" : ms < 10 ? "F2" : ms < 100 ? "F1" : "F0", CultureInfo.InvariantCulture) ?? "";
}
