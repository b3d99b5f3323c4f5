using System.Runtime.ExceptionServices;

namespace RealNvp.Operations;

/// <summary>What a backward could not throw, kept for the thread that made the graph.</summary>
/// <remarks>
/// On the CPU that thread also runs the backward. The nodes of a GPU run on a thread of autograd's, which nobody looks at: what is
/// kept for that thread alone would be lost, and thrown at some later step. A fault that is kept for two threads is thrown once.
/// </remarks>
internal sealed class KernelFault
{
    [ThreadStatic] private static KernelFault? here;

    private Kept? first;

    /// <summary>Where the faults of graphs that this thread makes are kept.</summary>
    public static KernelFault Here => here ??= new KernelFault();

    /// <summary>Keeps an error for the thread that made the graph and for this one, unless one is waiting there.</summary>
    public static void Keep(Exception error, KernelFault graph)
    {
        var kept = new Kept(ExceptionDispatchInfo.Capture(error));
        graph.Add(kept);
        if (!ReferenceEquals(graph, Here)) Here.Add(kept);
    }

    /// <summary>Throws what a backward has kept for this thread, once.</summary>
    public static void Throw()
    {
        if (here is not { first: not null } faults) return;
        if (Interlocked.Exchange(ref faults.first, null)?.Take() is { } error) error.Throw();
    }

    private void Add(Kept kept)
    {
        // one that the other thread has thrown waits for nobody
        if (Volatile.Read(ref first) is { IsTaken: true } past) Interlocked.CompareExchange(ref first, null, past);
        Interlocked.CompareExchange(ref first, kept, null);
    }

    private sealed class Kept(ExceptionDispatchInfo error)
    {
        private int taken;

        public bool IsTaken => Volatile.Read(ref taken) != 0;

        public ExceptionDispatchInfo? Take() => Interlocked.Exchange(ref taken, 1) == 0 ? error : null;
    }
}
