using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RealNvp.Benchmarks;

/// <summary>The table on the console.</summary>
internal static class Report
{
    public const string Ours = "RealNvp";

    public const string Reversible = "RealNvp, reversible";

    public const string Head =
        "case               phase             median      min      p90      p99 ms  of the peak, best product, in turns  calls (nested)   "
            + "managed B   peak MB (growth)  steady turns";

    public static string Row(Measurement m) => string.Create(CultureInfo.InvariantCulture,
        $"{m.Case,-18} {m.Phase,-13} {m.Median,10:F4} {m.Min,8:F4} {m.P90,8:F4} {m.P99,8:F4}   " +
            $"{Parts(m),20} " +
            $"{(m.NativeCalls is { } calls ? $"{calls} ({m.NestedCalls})" : "n/a"),17} {m.ManagedBytes,11} {m.PeakRssMb,7:F0} " +
            $"(+{Math.Max(0, m.PeakRssMb - m.RssBeforeMb):F0})  {Turns(m)}" +
            $"{(m.Phase == "collecting" ? $"; {m.Collections} collections in {m.Rounds} calls" : "")}");

    /// <summary>One line a peer: how many times longer it took than we did.</summary>
    public static string Ratio(Measurement peer, Measurement ours) => string.Create(CultureInfo.InvariantCulture,
        $"{"",18} {peer.Peer + (peer.Tuned ? ", tuned" : ""),-34} {peer.Median,10:F4} {peer.Min,8:F4} {peer.P90,8:F4}   " +
            $"{peer.Median / ours.Median,6:F2} times ours  ({Turns(peer)})");

    /// <summary>What a product reached.</summary>
    public static string Product(Measurement m) => string.Create(CultureInfo.InvariantCulture,
        $"product 4096x256x256 by {(m.Phase == "peer" ? m.Torch + " of " + m.Peer : m.Phase),-30} {m.Rate,6:F0} GFLOP/s, " +
            $"{m.Rate / m.Peak:P0} of the peak");

    // of one row and few rows, reading the weights is the limit; of many, the arithmetic
    private static string Parts(Measurement m) => m switch
    {
        { Phase: "read" or "cold" } => "",
        { Reading: { } reading } => string.Create(CultureInfo.InvariantCulture, $"{m.Median / reading:F1} readings"),
        { Floor: { } floor } => string.Create(CultureInfo.InvariantCulture,
            $"{floor / m.Median,6:P0} {m.GigaFlop * 1000 / m.BestProduct / m.Median,6:P0} {m.OfProductInTurns,6:P0}"),
        _ => "",
    };

    private static string Turns(Measurement m) => m.Turns is null ? "" : string.Create(CultureInfo.InvariantCulture,
        $"{m.SteadyTurns} of {m.Turns}{(m.IsSteady == false ? $": NOT steady, all turns count; machine at {m.Speed:P0}" : "")}");

    /// <summary>What a training step needs beside weights, gradients and the optimizer's state.</summary>
    public static string Working(Measurement m) => string.Create(CultureInfo.InvariantCulture,
        $"{"",18} {m.Peer,-34} {m.WorkingMb ?? double.NaN,10:F1} MB beside weights, gradients and Adam's state; {m.PeakRssMb:F0} MB " +
            $"resident; {m.NativeCalls} calls");

    public static string Machine()
    {
        var cpu = File.Exists("/proc/cpuinfo") ? File.ReadLines("/proc/cpuinfo")
            .FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[^1].Trim() : null;
        var vector = Avx512F.IsSupported ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128;
        return $"{cpu ?? RuntimeInformation.ProcessArchitecture.ToString()}, {Environment.ProcessorCount} cores, vectors of {vector} " +
            $"bits, {RuntimeInformation.OSDescription}";
    }

    public static string Runtime() => RuntimeInformation.FrameworkDescription;
}
