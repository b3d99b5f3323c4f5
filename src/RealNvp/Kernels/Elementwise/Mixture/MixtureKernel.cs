using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Value and log-derivative of a vector of elements in one pass. Streams: x, parameters; value, log-derivative.</summary>
/// <remarks>For the inverse map the input is the root, which is the value too.</remarks>
internal readonly unsafe struct MixtureKernel<TLanes, T>(int components, bool inverse) : IElementKernel<T>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly MixtureCurve<TLanes, T> curve = new(components);

    /// <inheritdoc/>
    public int Scratch => curve.Scratch;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(T** at, nint* steps, T* scratch)
    {
        Unsafe.SkipInit(out MixturePoint<TLanes> point);
        var x = TLanes.Load(at[0]);
        var step = steps[1];
        curve.Prepare(at[1], step, scratch, ref point);
        curve.Run(x, at[1], step, scratch, ref point);
        var last = at[1] + (3 * curve.Components * step);
        MixtureCurve<TLanes, T>.Bounded(TLanes.Load(last), MixtureLimits.MaxLogScale, out var logScale, out _);
        var logDerivative = point.LogDerivative + logScale;
        TLanes.Store(inverse ? x : TLanes.MultiplyAdd(point.Logit, LaneMath<TLanes, T>.Exp(logScale), TLanes.Load(last + step)), at[2]);
        TLanes.Store(inverse ? -logDerivative : logDerivative, at[3]);
    }
}
