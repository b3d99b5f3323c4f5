using System.Runtime.InteropServices;

namespace RealNvp.Kernels;

/// <summary>Memory of one call, on the boundary of a cache line. It may be as large as a batch, since no thread keeps it as
/// <see cref="KernelScratch"/> does.</summary>
/// <param name="elements">The float32 numbers, which are not set to anything.</param>
internal readonly unsafe struct KernelRoom(long elements) : IDisposable
{
    /// <summary>The first number.</summary>
    public float* Memory { get; } = (float*)NativeMemory.AlignedAlloc(checked((nuint)elements * sizeof(float)), 64);

    /// <summary>So many numbers in whole cache lines, for parts that each begin with one.</summary>
    public static long Whole(long count) => (count + 15) / 16 * 16;

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(Memory);
}
