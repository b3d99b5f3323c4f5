using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace RealNvp.Kernels;

/// <summary>Numbers of float64 in memory of libtorch that a thread keeps to draw into: one operation, where a new tensor takes three,
/// which matters among the microseconds of one sample.</summary>
internal sealed unsafe partial class DrawnNumbers
{
    // a place for each of few rows, whose counts are multiples of one number: a prime, so that no two of them meet
    private const int Places = 17;

    [ThreadStatic] private static DrawnNumbers?[]? kept;
    private readonly long count;
    private IntPtr tensor;

    private DrawnNumbers(long count)
    {
        this.count = count;
        // one that is made in this mode may not be drawn into outside of it
        using var mode = inference_mode(false);
        tensor = KernelMemory.NewDoubles(count);
    }

    ~DrawnNumbers() => Free();

    private void Free()
    {
        if (tensor != 0) KernelMemory.Release(tensor);
        tensor = 0;
    }

    /// <summary>Draws numbers that are uniform in [0, 1), those that <c>torch.rand</c> of as many gives.</summary>
    /// <param name="count">How many, so few that memory suffices.</param>
    /// <param name="generator">The source, of the CPU; null is torch's own.</param>
    /// <returns>Where they are, until this thread draws as many again, or others in their place.</returns>
    public static double* Uniform(long count, Generator? generator)
    {
        ref var numbers = ref (kept ??= new DrawnNumbers?[Places])[count % Places];
        if (numbers is null || numbers.count != count)
        {
            var made = new DrawnNumbers(count);
            // now: so small an object waits long for the collector, and its memory with it
            numbers?.Free();
            numbers = made;
        }
        THSTensor_uniform_(numbers.tensor, 0, 1, generator?.Handle ?? 0);
        GC.KeepAlive(generator);
        CheckForErrors();
        return (double*)KernelMemory.DataOf(numbers.tensor);
    }

    [LibraryImport("LibTorchSharp")]
    private static partial void THSTensor_uniform_(IntPtr tensor, double low, double high, IntPtr generator);
}
