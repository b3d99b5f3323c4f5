using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace RealNvp.Kernels;

/// <summary>A job of numbered parts that torch's threads, or those of the
/// pool, share with the caller, without an allocation in any run.</summary>
/// <remarks>
/// The caller takes parts itself until none is left, so that a pool that is busy costs time and nothing else. A helper that comes late
/// finds no part, or helps with the next job. One caller at a time. What a part does must not depend on the thread.
/// </remarks>
internal abstract unsafe class KernelTeam : IThreadPoolWorkItem
{
    private int left, open;
    private GCHandle self;

    /// <summary>Does one part. It must not throw.</summary>
    protected abstract void Run(int part);

    /// <summary>Does the parts 0 ... count - 1, on at most <paramref name="threads"/> threads, and returns when all are done.</summary>
    protected void RunAll(int count, int threads)
    {
        threads = Math.Min(threads, count);
        if (threads <= 1)
        {
            for (var part = 0; part < count; part++) Run(part);
            return;
        }
        open = count;
        // The last write before helpers can take a part: from here on they see the job.
        Volatile.Write(ref left, count);
        // rooted during the run alone
        self = GCHandle.Alloc(this);
        try
        {
            if (KernelThreads.TryBorrow(&Borrowed, self, threads)) return;
        }
        finally { self.Free(); }
        for (var helper = 1; helper < threads; helper++) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        TakeParts();
        var wait = new SpinWait();
        while (Volatile.Read(ref open) > 0) wait.SpinOnce(sleep1Threshold: -1);
    }

    void IThreadPoolWorkItem.Execute() => TakeParts();

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Borrowed(void* team) => ((KernelTeam)GCHandle.FromIntPtr((IntPtr)team).Target!).TakeParts();

    private void TakeParts()
    {
        int part;
        while ((part = Interlocked.Decrement(ref left)) >= 0)
        {
            Run(part);
            Interlocked.Decrement(ref open);
        }
    }
}
