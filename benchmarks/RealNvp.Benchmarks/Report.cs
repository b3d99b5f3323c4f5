using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace RealNvp.Benchmarks;

/// <summary>The table on the console.</summary>
internal static class Report
{
    public const string Ours = "RealNvp";

    public const string Reversible = "RealNvp, reversible";

    public const string Head =
        "case               phase        median      min      max ms   floor     calls (nested)   managed B   peak MB (growth)  steady " +
            "turns";

    public static string Row(Measurement m) => string.Create(CultureInfo.InvariantCulture,
        $"{m.Case,-18} {m.Phase,-8} {m.Median,10:F3} {m.Min,8:F3} {m.Max,8:F3}   {(m.Floor is { } floor ? floor / m.Median : 0),6:P0} " +
            $"{(m.NativeCalls is { } calls ? $"{calls} ({m.NestedCalls})" : "n/a"),17} {m.ManagedBytes,11} {m.PeakRssMb,7:F0} " +
            $"(+{Math.Max(0, m.PeakRssMb - m.RssBeforeMb):F0})  {m.SteadyTurns} of {m.Turns}");

    /// <summary>One line a peer: how many times longer it took than we did.</summary>
    public static string Ratio(Measurement peer, Measurement ours) => string.Create(CultureInfo.InvariantCulture,
        $"{"",18} {peer.Peer + (peer.Tuned ? ", tuned" : ""),-34} {peer.Median,10:F3} {peer.Min,8:F3} {peer.Max,8:F3}   " +
            $"{peer.Median / ours.Median,6:F2} times ours  ({peer.SteadyTurns} of {peer.Turns} turns)");

    /// <summary>What a training step needs beside weights, gradients and the optimizer's state.</summary>
    public static string Working(Measurement m) => string.Create(CultureInfo.InvariantCulture,
        $"{"",18} {m.Peer,-34} {m.WorkingMb ?? double.NaN,10:F1} MB beside weights, gradients and Adam's state; {m.PeakRssMb:F0} MB " +
            $"resident; {m.NativeCalls} calls");

    public static string Machine()
    {
        var cpu = File.Exists("/proc/cpuinfo") ? File.ReadLines("/proc/cpuinfo")
            .FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[^1].Trim() : null;
        var vector = Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128;
        return $"{cpu ?? RuntimeInformation.ProcessArchitecture.ToString()}, {Environment.ProcessorCount} cores, vectors of {vector} " +
            $"bits, {RuntimeInformation.OSDescription}";
    }

    public static string Runtime() => RuntimeInformation.FrameworkDescription;
}
