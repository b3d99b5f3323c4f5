using System.Diagnostics;
using System.Globalization;

namespace RealNvp.Tests.Infrastructure;

/// <summary>The resident memory of this process in bytes: native tensors count in it, which the managed heap does not show.</summary>
internal static class ResidentMemory
{
    private const string Status = "/proc/self/status";

    public static long Now => OperatingSystem.IsLinux() ? Read("VmRSS:") : Process.GetCurrentProcess().WorkingSet64;

    /// <summary>The growth to the highest point during an action; where the system does not tell it, the growth to its end.</summary>
    public static long PeakGrowth(Action action)
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        if (!OperatingSystem.IsLinux())
        {
            var before = Now;
            action();
            return Now - before;
        }
        // 5 sets the highest point back to the present (proc_pid_clear_refs(5))
        File.WriteAllText("/proc/self/clear_refs", "5");
        var start = Now;
        action();
        return Read("VmHWM:") - start;
    }

    private static long Read(string key)
    {
        var line = File.ReadLines(Status).Single(l => l.StartsWith(key, StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }
}
