using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace RealNvp.Kernels;

/// <summary>Runs a kernel over rows on as many threads as torch uses (<c>torch.set_num_threads</c>).</summary>
/// <remarks>
/// Where torch has its threads from libgomp, a kernel borrows the same ones: they wait in a loop for torch's next operation, and would
/// hold a processor against threads of our own.
/// </remarks>
internal static unsafe class KernelThreads
{
    private static readonly delegate* unmanaged[Cdecl]<delegate* unmanaged[Cdecl]<void*, void>, void*, uint, uint, void> team = FindTeam();

    /// <summary>As many threads as torch uses, and not more than there are processors.</summary>
    public static int Count => Math.Min(get_num_threads(), Environment.ProcessorCount);

    /// <summary>Calls <paramref name="rows"/>(start, end) for parts of 0 ... count. Below
    /// <paramref name="grain"/> units of work there is one part, on the calling thread.</summary>
    /// <param name="count">The number of rows.</param>
    /// <param name="work">What all rows cost, in the same unit as <paramref name="grain"/>.</param>
    /// <param name="grain">The work that is worth a thread of its own: some 50 µs.</param>
    /// <param name="rows">The kernel; an exception in a part is thrown here.</param>
    public static void For(long count, double work, double grain, Action<long, long> rows)
    {
        var parts = (int)Math.Min(Count, Math.Min(count, (long)(work / grain)));
        if (parts <= 1)
        {
            rows(0, count);
            return;
        }
        if (team == null)
        {
            Parallel.For(0, parts, part => rows(count * part / parts, count * (part + 1) / parts));
            return;
        }
        var job = new Job(rows, count, parts);
        var handle = GCHandle.Alloc(job);
        try { team(&TakeParts, (void*)GCHandle.ToIntPtr(handle), (uint)parts, 0); }
        finally { handle.Free(); }
        job.Fault?.Throw();
    }

    /// <summary>Runs <paramref name="action"/> on so many threads of torch's own at
    /// once, with no allocation; false if there are none to borrow.</summary>
    public static bool TryBorrow(delegate* unmanaged[Cdecl]<void*, void> action, GCHandle argument, int threads)
    {
        if (team == null) return false;
        team(action, (void*)GCHandle.ToIntPtr(argument), (uint)threads, 0);
        return true;
    }

    // however many threads the team has, each takes parts until none is left
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void TakeParts(void* job) => ((Job)GCHandle.FromIntPtr((IntPtr)job).Target!).TakeParts();

    private static delegate* unmanaged[Cdecl]<delegate* unmanaged[Cdecl]<void*, void>, void*, uint, uint, void> FindTeam()
    {
        // a search in libtorch_cpu finds what the libraries behind it export
        if (!OperatingSystem.IsLinux() || !NativeLibrary.TryLoad("torch_cpu", typeof(TorchSharp.torch).Assembly, null, out var torch))
            return null;
        return NativeLibrary.TryGetExport(torch, "GOMP_parallel", out var address)
            ? (delegate* unmanaged[Cdecl]<delegate* unmanaged[Cdecl]<void*, void>, void*, uint, uint, void>)address
            : null;
    }

    private sealed class Job(Action<long, long> rows, long count, int parts)
    {
        private int next;

        public ExceptionDispatchInfo? Fault { get; private set; }

        public void TakeParts()
        {
            for (int part; (part = Interlocked.Increment(ref next) - 1) < parts;)
            {
                try { rows(count * part / parts, count * (part + 1) / parts); }
                catch (Exception error) { Fault = ExceptionDispatchInfo.Capture(error); }   // it must not reach native frames
            }
        }
    }
}
