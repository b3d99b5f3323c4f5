using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>An elementwise map of one vector, ready to run: for so few elements that cutting them into vectors takes longer than mapping
/// them. It is never changed.</summary>
/// <param name="lanes">The elements of the vector.</param>
internal abstract unsafe class ElementVectors<T>(int lanes) where T : unmanaged
{
    public int Lanes => lanes;

    /// <summary>Computes one vector: see <see cref="IElementKernel{T}.Run"/>.</summary>
    public abstract void Run(T** at, nint* steps);
}

/// <summary>That of a kernel.</summary>
internal sealed unsafe class ElementVectors<TLanes, T, TKernel>(TKernel kernel) : ElementVectors<T>(TLanes.Count)
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
    where TKernel : struct, IElementKernel<T>
{
    private readonly TKernel kernel = kernel;

    [SkipLocalsInit]
    public override void Run(T** at, nint* steps)
    {
        // on the boundary of a cache line
        var memory = stackalloc T[(kernel.Scratch + 1) * TLanes.Count];
        var size = TLanes.Count * sizeof(T);
        kernel.Run(at, steps, (T*)(((nint)memory + size - 1) & -size));
    }
}
