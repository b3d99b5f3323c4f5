using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>y = x + t, the map of additive couplings.</summary>
internal sealed class ShiftCode : ElementwiseCode
{
    public override int Parameters => 1;

    public override double Cost => 4;

    protected override void Run<TLanes, T>(in ElementJob<T> job) =>
        job.Run<TLanes, ShiftElement<TLanes, T>>(new(job.Inverse));
}

/// <summary>A vector of elements. Streams: input, shifts; value, log-derivative, which is 0.</summary>
internal readonly unsafe struct ShiftElement<TLanes, T>(bool inverse) : IElementKernel<T>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <inheritdoc/>
    public int Scratch => 0;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Run(T** at, nint* steps, T* scratch)
    {
        TLanes x = TLanes.Load(at[0]), t = TLanes.Load(at[1]);
        TLanes.Store(inverse ? x - t : x + t, at[2]);
        TLanes.Store(TLanes.Zero, at[3]);
    }
}
