using System.Diagnostics;
using System.Globalization;
using TorchSharp;

namespace RealNvp.Benchmarks;

/// <summary>One case in a process of its own, which waits for commands on its
/// input and answers in lines of JSON, as the Python script does.</summary>
internal static class Worker
{
    private const int WarmUp = 3;
    private static readonly TimeSpan enoughWarmUp = TimeSpan.FromSeconds(3);

    public static int Serve(BenchmarkCase row, int threads, bool cuda, bool tuned, TextReader input, TextWriter output,
        bool reversible = false)
    {
        var report = tuned ? CpuTuning.Apply() : null;
        TorchBackend.EnsureAvailable();
        torch.set_num_threads(threads);
        using var workload = new Workload(row, cuda ? torch.CUDA : torch.CPU, reversible);
        var version = typeof(torch).Assembly.GetName().Version!.ToString(3);
        output.WriteLine(Protocol.Write(new Ready(reversible ? Report.Reversible : Report.Ours, row.Name, row.Phases, workload.Parameters,
            "TorchSharp " + version, report is not null)));
        output.Flush();
        var warm = new HashSet<string>();
        while (input.ReadLine()?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is { } words)
        {
            if (words is ["quit"]) break;
            if (words is not ["time", var phase, var count]) continue;
            output.WriteLine(Protocol.Write(Time(workload, phase, int.Parse(count, CultureInfo.InvariantCulture), warm.Add(phase))));
            output.Flush();
        }
        return 0;
    }

    private static Timed Time(Workload workload, string phase, int rounds, bool first)
    {
        Timed counted = new(phase, [], 0, 0);
        if (first)
        {
            var resident = ProcessMemory.Resident;
            ProcessMemory.ResetPeak();
            var warming = Stopwatch.StartNew();
            for (var i = 0; i < WarmUp || (warming.ElapsedMilliseconds < 500 && warming.Elapsed < enoughWarmUp); i++) workload.Run(phase);
            counted = Count(workload, phase) with { RssBeforeMb = resident };
        }
        var times = new double[rounds];
        for (var i = 0; i < rounds; i++)
        {
            var watch = Stopwatch.StartNew();
            workload.Run(phase);
            if (torch.cuda.is_available()) torch.cuda.synchronize();
            times[i] = watch.Elapsed.TotalMilliseconds;
        }
        return counted with { Times = times, PeakRssMb = ProcessMemory.Peak };
    }

    private static Timed Count(Workload workload, string phase)
    {
        var bytes = GC.GetAllocatedBytesForCurrentThread();
        workload.Run(phase);
        bytes = GC.GetAllocatedBytesForCurrentThread() - bytes;
        var peak = workload.PeakOf(phase);
        using var calls = NativeCalls.Start();
        workload.Run(phase);
        return new Timed(phase, [], 0, 0) { NativeCalls = calls?.Outer, NestedCalls = calls?.All, ManagedBytes = bytes,
            WorkingMb = peak / 1e6 };
    }
}
