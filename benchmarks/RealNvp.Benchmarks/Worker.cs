using System.Diagnostics;
using System.Globalization;
using System.Runtime;
using TorchSharp;

namespace RealNvp.Benchmarks;

/// <summary>One case in a process of its own, which waits for commands on its
/// input and answers in lines of JSON, as the Python script does.</summary>
internal static class Worker
{
    public static int Serve(BenchmarkCase row, int threads, bool cuda, bool tuned, TextReader input, TextWriter output,
        bool reversible = false)
    {
        var report = tuned ? CpuTuning.Apply() : null;
        TorchBackend.EnsureAvailable();
        torch.set_num_threads(threads);
        using var workload = row.Load(cuda ? torch.CUDA : torch.CPU, reversible);
        var waits = torch.cuda.is_available();
        var version = typeof(torch).Assembly.GetName().Version!.ToString(3);
        output.WriteLine(Protocol.Write(new Ready(reversible ? Report.Reversible : Report.Ours, row.Name,
            [.. row.Phases.Where(p => p != "peer")], workload.Parameters,
            "TorchSharp " + version, report is not null) { Counts = true }));
        output.Flush();
        while (input.ReadLine()?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is { } words)
        {
            if (words is ["quit"]) break;
            var answer = words switch
            {
                ["time", var phase, var count] => Time(workload, phase, int.Parse(count, CultureInfo.InvariantCulture), waits),
                ["count", var phase] => Count(workload, phase),
                _ => null,
            };
            if (answer is null) continue;
            output.WriteLine(Protocol.Write(answer));
            output.Flush();
        }
        return 0;
    }

    /// <summary>Builds a case, scores its batch once, says so, and waits for the end of its input: from the start of the process to the
    /// line, that is a cold start.</summary>
    public static int Cold(BenchmarkCase row, int threads, bool tuned, TextReader input, TextWriter output)
    {
        if (tuned) CpuTuning.Apply();
        TorchBackend.EnsureAvailable();
        torch.set_num_threads(threads);
        using (var flow = row.Make())
        using (torch.no_grad())
        using (var x = row.Data())
        {
            flow.eval();
            using var score = flow.LogProb(x);
            output.WriteLine(Protocol.Write(new Timed("cold", [], ProcessMemory.Peak, 0)));
            output.Flush();
        }
        input.ReadToEnd();
        return 0;
    }

    // a device is asked for before: the question takes as long as a small layer
    private static Timed Time(IWorkload workload, string phase, int rounds, bool waits)
    {
        using var collecting = phase == "collecting" ? new CollectingThread() : null;
        var resident = ProcessMemory.Resident;
        ProcessMemory.ResetPeak();
        var times = new double[rounds];
        var collections = GC.CollectionCount(0);
        for (var i = 0; i < rounds; i++)
        {
            var watch = Stopwatch.StartNew();
            workload.Run(phase);
            if (waits) torch.cuda.synchronize();
            times[i] = watch.Elapsed.TotalMilliseconds;
        }
        return new Timed(phase, times, ProcessMemory.Peak, resident) {
            Collections = GC.CollectionCount(0) - collections,
            Compiled = JitInfo.GetCompiledMethodCount(),
        };
    }

    private static Timed Count(IWorkload workload, string phase)
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
