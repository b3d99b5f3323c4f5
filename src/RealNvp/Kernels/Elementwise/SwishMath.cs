using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>σ(βa) and what derivatives of a·σ(βa) are made of.</summary>
internal static class SwishMath<TLanes, T> where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    // beyond it s·q is 0 to all digits of any sum that it stands in, and its product with a large a must be too
    private const double Far = 80;

    /// <summary>σ(βa), as <see cref="Parts"/> has it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Sigmoid(TLanes a, TLanes beta)
    {
        var (one, far) = (TLanes.Number(1), TLanes.Number(Far));
        var u = TLanes.Max(-far, TLanes.Min(far, a * beta));
        return TLanes.Select(TLanes.Above(u, -far), one / (one + LaneMath<TLanes, T>.ExpWithin(-u)), TLanes.Zero);
    }

    /// <summary>s = σ(u), q = 1 − s, s·q, and u = βa within ±80.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Parts(TLanes a, TLanes beta, out TLanes s, out TLanes q, out TLanes product, out TLanes u)
    {
        var (one, far) = (TLanes.Number(1), TLanes.Number(Far));
        u = TLanes.Max(-far, TLanes.Min(far, a * beta));
        // e^80 is far from the largest number, so that both halves have all of their digits from the same two lines
        var e = LaneMath<TLanes, T>.ExpWithin(-u);
        s = one / (one + e);
        q = e * s;
        // far below, a·s is 0, however large a is
        s = TLanes.Select(TLanes.Above(u, -far), s, TLanes.Zero);
        product = TLanes.Select(TLanes.Above(far, TLanes.Abs(u)), s * q, TLanes.Zero);
    }
}
