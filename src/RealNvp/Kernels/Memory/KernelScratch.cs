using System.Runtime.InteropServices;

namespace RealNvp.Kernels;

/// <summary>Memory that a thread keeps for its kernels, so that none is asked for, and touched for the first time, in each call.</summary>
internal sealed unsafe class KernelScratch
{
    [ThreadStatic] private static KernelScratch? shared, own, held;
    private const nuint Alignment = 64;
    private float* memory;
    private long size;

    /// <summary>What the calling thread shares with its helpers during a call: packed weights, sums.</summary>
    public static float* Shared(long elements) => (shared ??= new()).Rent(elements);

    /// <summary>What a thread needs for its rows.</summary>
    public static float* Own(long elements) => (own ??= new()).Rent(elements);

    /// <summary>What the calling thread holds between calls of kernels that use the other two.</summary>
    public static float* Held(long elements) => (held ??= new()).Rent(elements);

    ~KernelScratch() => NativeMemory.AlignedFree(memory);

    private float* Rent(long elements)
    {
        if (elements <= size) return memory;
        NativeMemory.AlignedFree(memory);
        memory = null;
        size = 0;
        memory = (float*)NativeMemory.AlignedAlloc(checked((nuint)elements * sizeof(float)), Alignment);
        size = elements;
        return memory;
    }
}
