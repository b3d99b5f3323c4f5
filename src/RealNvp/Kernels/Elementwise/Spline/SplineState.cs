using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>What is known of a vector of values, step by step. It lies in a kernel's memory, whose vectors begin with a line of the cache:
/// those of the stack do not, and each of them would be read and written as two halves.</summary>
internal struct SplineState<TLanes, T> where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>The values, within the interval.</summary>
    public TLanes Inside;

    public SplineBin<TLanes> Bin;

    public SplineCurve<TLanes, T> Curve;

    /// <summary>The shares of widths and of heights.</summary>
    public SplineShares<TLanes> X, Y;

    /// <summary>How many vectors it is.</summary>
    public static int Vectors => Unsafe.SizeOf<SplineState<TLanes, T>>() / Unsafe.SizeOf<TLanes>();

    /// <summary>The one in memory for so many numbers of each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe ref SplineState<TLanes, T> In(T* memory) => ref Unsafe.AsRef<SplineState<TLanes, T>>(memory);
}
