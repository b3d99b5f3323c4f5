using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>An activation of lanes, with what its gradients need.</summary>
/// <typeparam name="TLanes">The lanes.</typeparam>
/// <typeparam name="T">float or double.</typeparam>
internal interface IResidualSlopes<TLanes, T>
    where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>f(a).</summary>
    static abstract TLanes Value(TLanes a, TLanes beta, TLanes factor);

    /// <summary>f(a) and f′(a).</summary>
    static abstract void At(TLanes a, TLanes beta, TLanes factor, out TLanes value, out TLanes slope);

    /// <summary>The same; f″(a) = <paramref name="bend"/>·β, ∂f/∂β =
    /// a·<paramref name="along"/>·a, ∂f′/∂β = a·<paramref name="bend"/>.</summary>
    static abstract void Bend(TLanes a, TLanes beta, TLanes factor, out TLanes value, out TLanes slope, out TLanes bend, out TLanes along);
}

/// <summary>a·σ(βa)·c: see <see cref="SwishKernel"/>.</summary>
internal readonly struct SwishSlopes<TLanes, T> : IResidualSlopes<TLanes, T>
    where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Value(TLanes a, TLanes beta, TLanes factor) => a * SwishMath<TLanes, T>.Sigmoid(a, beta) * factor;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void At(TLanes a, TLanes beta, TLanes factor, out TLanes value, out TLanes slope)
    {
        SwishMath<TLanes, T>.Parts(a, beta, out var s, out _, out var product, out var u);
        value = a * s * factor;
        slope = TLanes.MultiplyAdd(u, product, s) * factor;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Bend(TLanes a, TLanes beta, TLanes factor, out TLanes value, out TLanes slope, out TLanes bend, out TLanes along)
    {
        SwishMath<TLanes, T>.Parts(a, beta, out var s, out var q, out var product, out var u);
        value = a * s * factor;
        slope = TLanes.MultiplyAdd(u, product, s) * factor;
        along = product * factor;
        bend = along * TLanes.MultiplyAdd(u, q - s, TLanes.Number(2));
    }
}

/// <summary>Elu, with β = 1.</summary>
internal readonly struct EluSlopes<TLanes, T> : IResidualSlopes<TLanes, T>
    where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Value(TLanes a, TLanes beta, TLanes factor) => TLanes.Select(TLanes.Above(a, TLanes.Zero), a,
        LaneMath<TLanes, T>.ExpMinusOneOfNegative(TLanes.Min(TLanes.Zero, a), out _));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void At(TLanes a, TLanes beta, TLanes factor, out TLanes value, out TLanes slope)
    {
        var less = LaneMath<TLanes, T>.ExpMinusOneOfNegative(TLanes.Min(TLanes.Zero, a), out slope);
        value = TLanes.Select(TLanes.Above(a, TLanes.Zero), a, less);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Bend(TLanes a, TLanes beta, TLanes factor, out TLanes value, out TLanes slope, out TLanes bend, out TLanes along)
    {
        At(a, beta, factor, out value, out slope);
        bend = TLanes.Select(TLanes.Above(a, TLanes.Zero), TLanes.Zero, slope);
        along = TLanes.Zero;
    }
}

/// <summary>The number itself.</summary>
internal readonly struct NoSlopes<TLanes, T> : IResidualSlopes<TLanes, T>
    where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Value(TLanes a, TLanes beta, TLanes factor) => a;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void At(TLanes a, TLanes beta, TLanes factor, out TLanes value, out TLanes slope) =>
        (value, slope) = (a, TLanes.Number(1));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Bend(TLanes a, TLanes beta, TLanes factor, out TLanes value, out TLanes slope, out TLanes bend, out TLanes along) =>
        (value, slope, bend, along) = (a, TLanes.Number(1), TLanes.Zero, TLanes.Zero);
}
