namespace RealNvp;

/// <summary>Collects what steps of training leave: TorchSharp frees its small native objects by finalizers only, so that memory
/// grows until there is a collection.</summary>
/// <remarks>One of the youngest generation takes a millisecond, half a step of a small flow, so it waits for some garbage.</remarks>
internal struct StepGarbage
{
    // no more often than this, however much other threads allocate
    private const int LeastSteps = 10;

    // of managed memory; native objects are about as much again
    private const long Bytes = 8 << 20;

    private long steps, allocated;

    /// <summary>Says that a step is done.</summary>
    public void StepDone()
    {
        if (++steps < LeastSteps) return;
        var now = GC.GetTotalAllocatedBytes();
        if (now - allocated < Bytes) return;
        (steps, allocated) = (0, now);
        GC.Collect(0);
        GC.WaitForPendingFinalizers();
    }
}
