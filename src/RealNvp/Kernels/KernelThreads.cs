using static TorchSharp.torch;

namespace RealNvp.Kernels;

/// <summary>Runs a kernel over rows on as many threads as torch uses (<c>torch.set_num_threads</c>).</summary>
internal static class KernelThreads
{
    /// <summary>Calls <paramref name="rows"/>(start, end) for parts of 0 ... count. Below <paramref name="grain"/> units of work there is one part, on the calling thread.</summary>
    /// <param name="count">The number of rows.</param>
    /// <param name="work">What all rows cost, in the same unit as <paramref name="grain"/>.</param>
    /// <param name="grain">The work that is worth a thread of its own: some 50 µs.</param>
    /// <param name="rows">The kernel; an exception in a part is thrown here.</param>
    public static void For(long count, double work, double grain, Action<long, long> rows)
    {
        var parts = (int)Math.Min(Math.Min(get_num_threads(), Environment.ProcessorCount), Math.Min(count, (long)(work / grain)));
        if (parts <= 1)
        {
            rows(0, count);
            return;
        }
        Parallel.For(0, parts, part => rows(count * part / parts, count * (part + 1) / parts));
    }
}
