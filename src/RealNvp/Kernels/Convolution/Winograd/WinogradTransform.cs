using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>
/// The transforms of Winograd's F(2×2, 3×3) on one vector of channels: Y = Aᵀ[(G g Gᵀ) ∘ (Bᵀ d B)]A (Lavin and Gray, arXiv 1509.09308,
/// section 4.1), and the adjoints that gradients need.
/// </summary>
/// <remarks>
/// <para>An output reads no more of its patch than the 3×3 under it, so what is not finite spreads no farther than in a direct convolution.</para>
/// <para>Each transform is a method of its own: in larger ones the JIT's budget for inlining ends before the last vector.</para>
/// </remarks>
internal static unsafe class WinogradTransform
{
    /// <summary>Bᵀ d B of a 4×4 patch, for all channels. Where they are not whole vectors, the last one overlaps the one before.</summary>
    /// <param name="d">Where the 16 pixels lie.</param>
    /// <param name="channels">At least one vector.</param>
    /// <param name="to">Gets the 16 results, <paramref name="plane"/> apart.</param>
    /// <param name="plane">The distance between results.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Input<L, V>(float** d, nint channels, float* to, nint plane) where L : struct, IDenseLanes<V> where V : struct
    {
        for (nint c = 0; c < channels; c += L.Count)
        {
            var at = Math.Min(c, channels - L.Count);
            var v = to + at;
            V a0 = L.Load(d[8] + at), a1 = L.Load(d[9] + at), a2 = L.Load(d[10] + at), a3 = L.Load(d[11] + at);
            InputRow<L, V>(L.Subtract(L.Load(d[0] + at), a0), L.Subtract(L.Load(d[1] + at), a1), L.Subtract(L.Load(d[2] + at), a2), L.Subtract(L.Load(d[3] + at), a3), v, plane);
            V b0 = L.Load(d[4] + at), b1 = L.Load(d[5] + at), b2 = L.Load(d[6] + at), b3 = L.Load(d[7] + at);
            v += 4 * plane;
            InputRow<L, V>(L.Add(b0, a0), L.Add(b1, a1), L.Add(b2, a2), L.Add(b3, a3), v, plane);
            v += 4 * plane;
            InputRow<L, V>(L.Subtract(a0, b0), L.Subtract(a1, b1), L.Subtract(a2, b2), L.Subtract(a3, b3), v, plane);
            v += 4 * plane;
            InputRow<L, V>(L.Subtract(b0, L.Load(d[12] + at)), L.Subtract(b1, L.Load(d[13] + at)), L.Subtract(b2, L.Load(d[14] + at)), L.Subtract(b3, L.Load(d[15] + at)), v, plane);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void InputRow<L, V>(V t0, V t1, V t2, V t3, float* to, nint plane) where L : struct, IDenseLanes<V> where V : struct
    {
        L.Store(L.Subtract(t0, t2), to);
        L.Store(L.Add(t1, t2), to + plane);
        L.Store(L.Subtract(t2, t1), to + (2 * plane));
        L.Store(L.Subtract(t1, t3), to + (3 * plane));
    }

    /// <summary>Aᵀ m A and a bias: the four outputs of a tile, for channels that are whole vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Output<L, V>(float* m, nint plane, float* bias, nint channels, float* y00, float* y01, float* y10, float* y11) where L : struct, IDenseLanes<V> where V : struct
    {
        for (nint c = 0; c < channels; c += L.Count)
        {
            var from = m + c;
            OutputColumn<L, V>(from, 4 * plane, out var p0, out var q0);
            OutputColumn<L, V>(from + plane, 4 * plane, out var p1, out var q1);
            OutputColumn<L, V>(from + (2 * plane), 4 * plane, out var p2, out var q2);
            OutputColumn<L, V>(from + (3 * plane), 4 * plane, out var p3, out var q3);
            var b = L.Load(bias + c);
            L.Store(L.Add(L.Add(p0, L.Add(p1, p2)), b), y00 + c);
            L.Store(L.Add(L.Subtract(L.Subtract(p1, p2), p3), b), y01 + c);
            L.Store(L.Add(L.Add(q0, L.Add(q1, q2)), b), y10 + c);
            L.Store(L.Add(L.Subtract(L.Subtract(q1, q2), q3), b), y11 + c);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void OutputColumn<L, V>(float* m, nint row, out V first, out V second) where L : struct, IDenseLanes<V> where V : struct
    {
        V a = L.Load(m + row), b = L.Load(m + (2 * row));
        first = L.Add(L.Load(m), L.Add(a, b));
        second = L.Subtract(L.Subtract(a, b), L.Load(m + (3 * row)));
    }

    /// <summary>A y Aᵀ, the adjoint of <see cref="Output"/>; adds the sum of the four numbers of y to <paramref name="sums"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void OutputAdjoint<L, V>(float* y00, float* y01, float* y10, float* y11, nint channels, float* m, nint plane, float* sums) where L : struct, IDenseLanes<V> where V : struct
    {
        for (nint c = 0; c < channels; c += L.Count)
        {
            var to = m + c;
            V a = L.Load(y00 + c), b = L.Load(y01 + c), d = L.Load(y10 + c), e = L.Load(y11 + c);
            AdjointRow<L, V>(a, b, to, plane);
            var sum = AdjointRow<L, V>(L.Add(a, d), L.Add(b, e), to + (4 * plane), plane);
            AdjointRow<L, V>(L.Subtract(a, d), L.Subtract(b, e), to + (8 * plane), plane);
            AdjointRow<L, V>(L.Subtract(L.Zero, d), L.Subtract(L.Zero, e), to + (12 * plane), plane);
            L.Store(L.Add(L.Load(sums + c), sum), sums + c);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V AdjointRow<L, V>(V first, V second, float* to, nint plane) where L : struct, IDenseLanes<V> where V : struct
    {
        var sum = L.Add(first, second);
        L.Store(first, to);
        L.Store(sum, to + plane);
        L.Store(L.Subtract(first, second), to + (2 * plane));
        L.Store(L.Subtract(L.Zero, second), to + (3 * plane));
        return sum;
    }

    /// <summary>G g Gᵀ of nine taps that are <paramref name="tap"/> apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Weight<L, V>(float* g, nint tap, float* to, nint plane) where L : struct, IDenseLanes<V> where V : struct
    {
        var half = L.Broadcast(0.5f);
        V a0 = L.Load(g), a1 = L.Load(g + tap), a2 = L.Load(g + (2 * tap));
        V c0 = L.Load(g + (6 * tap)), c1 = L.Load(g + (7 * tap)), c2 = L.Load(g + (8 * tap));
        WeightRow<L, V>(a0, a1, a2, to, plane);
        WeightRow<L, V>(c0, c1, c2, to + (12 * plane), plane);
        a0 = L.Multiply(half, L.Add(a0, c0));
        a1 = L.Multiply(half, L.Add(a1, c1));
        a2 = L.Multiply(half, L.Add(a2, c2));
        V b0 = L.Multiply(half, L.Load(g + (3 * tap))), b1 = L.Multiply(half, L.Load(g + (4 * tap))), b2 = L.Multiply(half, L.Load(g + (5 * tap)));
        WeightRow<L, V>(L.Add(a0, b0), L.Add(a1, b1), L.Add(a2, b2), to + (4 * plane), plane);
        WeightRow<L, V>(L.Subtract(a0, b0), L.Subtract(a1, b1), L.Subtract(a2, b2), to + (8 * plane), plane);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WeightRow<L, V>(V a, V b, V c, float* to, nint plane) where L : struct, IDenseLanes<V> where V : struct
    {
        var half = L.Broadcast(0.5f);
        var outer = L.Multiply(half, L.Add(a, c));
        var inner = L.Multiply(half, b);
        L.Store(a, to);
        L.Store(L.Add(outer, inner), to + plane);
        L.Store(L.Subtract(outer, inner), to + (2 * plane));
        L.Store(c, to + (3 * plane));
    }

    /// <summary>Gᵀ u G, the adjoint of <see cref="Weight"/>; both sides are <paramref name="width"/> apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void WeightAdjoint<L, V>(float* u, float* to, nint width) where L : struct, IDenseLanes<V> where V : struct
    {
        AdjointColumn<L, V>(u, 4 * width, out var a0, out var b0, out var c0);
        AdjointColumn<L, V>(u + width, 4 * width, out var a1, out var b1, out var c1);
        AdjointColumn<L, V>(u + (2 * width), 4 * width, out var a2, out var b2, out var c2);
        AdjointColumn<L, V>(u + (3 * width), 4 * width, out var a3, out var b3, out var c3);
        AdjointTaps<L, V>(a0, a1, a2, a3, to, width);
        AdjointTaps<L, V>(b0, b1, b2, b3, to + (3 * width), width);
        AdjointTaps<L, V>(c0, c1, c2, c3, to + (6 * width), width);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AdjointColumn<L, V>(float* u, nint row, out V first, out V second, out V third) where L : struct, IDenseLanes<V> where V : struct =>
        Adjoint<L, V>(L.Load(u), L.Load(u + row), L.Load(u + (2 * row)), L.Load(u + (3 * row)), out first, out second, out third);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AdjointTaps<L, V>(V u0, V u1, V u2, V u3, float* to, nint width) where L : struct, IDenseLanes<V> where V : struct
    {
        Adjoint<L, V>(u0, u1, u2, u3, out var first, out var second, out var third);
        L.Store(first, to);
        L.Store(second, to + width);
        L.Store(third, to + (2 * width));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Adjoint<L, V>(V u0, V u1, V u2, V u3, out V first, out V second, out V third) where L : struct, IDenseLanes<V> where V : struct
    {
        var half = L.Broadcast(0.5f);
        var sum = L.Multiply(half, L.Add(u1, u2));
        first = L.Add(u0, sum);
        second = L.Multiply(half, L.Subtract(u1, u2));
        third = L.Add(sum, u3);
    }
}
