using System.Globalization;

namespace RealNvp.Benchmarks;

/// <summary>The resident memory of this process, as Linux counts it; 0 elsewhere.</summary>
internal static class ProcessMemory
{
    /// <summary>What is resident now, in MB.</summary>
    public static double Resident => Read("VmRSS:");

    /// <summary>The most that was resident since <see cref="ResetPeak"/>, in MB.</summary>
    public static double Peak => Read("VmHWM:");

    /// <summary>Lets the peak start again at what is resident now.</summary>
    public static void ResetPeak()
    {
        try { File.WriteAllText("/proc/self/clear_refs", "5"); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }   // the peak then is that of the whole process
    }

    private static double Read(string name)
    {
        if (!File.Exists("/proc/self/status")) return 0;
        var line = File.ReadLines("/proc/self/status").FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal));
        return line is null ? 0
            : double.Parse(line[name.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) / 1024;
    }
}
