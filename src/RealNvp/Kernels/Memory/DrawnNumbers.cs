using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace RealNvp.Kernels;

/// <summary>Numbers of float64 in memory of libtorch that a thread keeps to draw into: one operation, where a new tensor takes three,
/// which matters among the microseconds of one sample.</summary>
internal sealed unsafe partial class DrawnNumbers
{
    [ThreadStatic] private static DrawnNumbers? kept;
    private readonly IntPtr tensor;
    private readonly long count;

    private DrawnNumbers(long count)
    {
        this.count = count;
        tensor = KernelMemory.NewDoubles(count);
    }

    ~DrawnNumbers()
    {
        if (tensor != 0) KernelMemory.Release(tensor);
    }

    /// <summary>Draws numbers that are uniform in [0, 1), those that <c>torch.rand</c> of as many gives.</summary>
    /// <param name="count">How many, so few that memory suffices.</param>
    /// <param name="generator">The source, of the CPU; null is torch's own.</param>
    /// <returns>Where they are, until this thread draws again.</returns>
    public static double* Uniform(long count, Generator? generator)
    {
        var numbers = kept;
        if (numbers is null || numbers.count != count) kept = numbers = new(count);
        THSTensor_uniform_(numbers.tensor, 0, 1, generator?.Handle ?? 0);
        GC.KeepAlive(generator);
        CheckForErrors();
        return (double*)KernelMemory.DataOf(numbers.tensor);
    }

    [LibraryImport("LibTorchSharp")]
    private static partial void THSTensor_uniform_(IntPtr tensor, double low, double high, IntPtr generator);
}
