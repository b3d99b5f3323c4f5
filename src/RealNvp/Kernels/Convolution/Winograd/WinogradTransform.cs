using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>
/// The transforms of Winograd's F(2×2, 3×3) on one vector of channels: Y = Aᵀ[(G g Gᵀ) ∘ (Bᵀ d B)]A (Lavin and Gray, arXiv 1509.09308,
/// section 4.1), and the adjoints that gradients need.
/// </summary>
/// <remarks>
/// <para>An output reads no more of its patch than the 3×3 under it, so what is
/// not finite spreads no farther than in a direct convolution.</para>
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
    public static void Input<TLanes>(float** d, nint channels, float* to, nint plane) where TLanes : struct, ILanes<TLanes, float>
    {
        for (nint c = 0; c < channels; c += TLanes.Count)
        {
            var at = Math.Min(c, channels - TLanes.Count);
            var v = to + at;
            TLanes a0 = TLanes.Load(d[8] + at), a1 = TLanes.Load(d[9] + at), a2 = TLanes.Load(d[10] + at), a3 = TLanes.Load(d[11] + at);
            InputRow<TLanes>(TLanes.Load(d[0] + at) - a0, TLanes.Load(d[1] + at) - a1, TLanes.Load(d[2] + at) - a2,
                TLanes.Load(d[3] + at) - a3, v, plane);
            TLanes b0 = TLanes.Load(d[4] + at), b1 = TLanes.Load(d[5] + at), b2 = TLanes.Load(d[6] + at), b3 = TLanes.Load(d[7] + at);
            v += 4 * plane;
            InputRow<TLanes>(b0 + a0, b1 + a1, b2 + a2, b3 + a3, v, plane);
            v += 4 * plane;
            InputRow<TLanes>(a0 - b0, a1 - b1, a2 - b2, a3 - b3, v, plane);
            v += 4 * plane;
            InputRow<TLanes>(b0 - TLanes.Load(d[12] + at), b1 - TLanes.Load(d[13] + at), b2 - TLanes.Load(d[14] + at),
                b3 - TLanes.Load(d[15] + at), v, plane);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void InputRow<TLanes>(TLanes t0, TLanes t1, TLanes t2, TLanes t3, float* to, nint plane)
        where TLanes : struct, ILanes<TLanes, float>
    {
        TLanes.Store(t0 - t2, to);
        TLanes.Store(t1 + t2, to + plane);
        TLanes.Store(t2 - t1, to + (2 * plane));
        TLanes.Store(t1 - t3, to + (3 * plane));
    }

    /// <summary>Aᵀ m A and a bias: the four outputs of a tile, for channels that are whole vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Output<TLanes>(float* m, nint plane, float* bias, nint channels, float* y00, float* y01, float* y10, float* y11)
        where TLanes : struct, ILanes<TLanes, float>
    {
        for (nint c = 0; c < channels; c += TLanes.Count)
        {
            var from = m + c;
            OutputColumn<TLanes>(from, 4 * plane, out var p0, out var q0);
            OutputColumn<TLanes>(from + plane, 4 * plane, out var p1, out var q1);
            OutputColumn<TLanes>(from + (2 * plane), 4 * plane, out var p2, out var q2);
            OutputColumn<TLanes>(from + (3 * plane), 4 * plane, out var p3, out var q3);
            var b = TLanes.Load(bias + c);
            TLanes.Store((p0 + (p1 + p2)) + b, y00 + c);
            TLanes.Store(((p1 - p2) - p3) + b, y01 + c);
            TLanes.Store((q0 + (q1 + q2)) + b, y10 + c);
            TLanes.Store(((q1 - q2) - q3) + b, y11 + c);
        }
    }

    /// <summary>The same, with what lies at <paramref name="added"/> as the outputs lie at <paramref name="y"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void OutputAdded<TLanes>(float* m, nint plane, float* bias, nint channels, float* y, nint right, nint below,
        float* added) where TLanes : struct, ILanes<TLanes, float>
    {
        for (nint c = 0; c < channels; c += TLanes.Count, y += TLanes.Count, added += TLanes.Count)
        {
            var from = m + c;
            OutputColumn<TLanes>(from, 4 * plane, out var p0, out var q0);
            OutputColumn<TLanes>(from + plane, 4 * plane, out var p1, out var q1);
            OutputColumn<TLanes>(from + (2 * plane), 4 * plane, out var p2, out var q2);
            OutputColumn<TLanes>(from + (3 * plane), 4 * plane, out var p3, out var q3);
            var b = TLanes.Load(bias + c);
            TLanes.Store(((p0 + (p1 + p2)) + b) + TLanes.Load(added), y);
            TLanes.Store((((p1 - p2) - p3) + b) + TLanes.Load(added + right), y + right);
            TLanes.Store(((q0 + (q1 + q2)) + b) + TLanes.Load(added + below), y + below);
            TLanes.Store((((q1 - q2) - q3) + b) + TLanes.Load(added + below + right), y + below + right);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void OutputColumn<TLanes>(float* m, nint row, out TLanes first, out TLanes second)
        where TLanes : struct, ILanes<TLanes, float>
    {
        TLanes a = TLanes.Load(m + row), b = TLanes.Load(m + (2 * row));
        first = TLanes.Load(m) + (a + b);
        second = (a - b) - TLanes.Load(m + (3 * row));
    }

    /// <summary>A y Aᵀ, the adjoint of <see cref="Output"/>; adds the sum of the four numbers of y to <paramref name="sums"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void OutputAdjoint<TLanes>(float* y00, float* y01, float* y10, float* y11, nint channels, float* m, nint plane,
        float* sums) where TLanes : struct, ILanes<TLanes, float>
    {
        for (nint c = 0; c < channels; c += TLanes.Count)
        {
            var to = m + c;
            TLanes a = TLanes.Load(y00 + c), b = TLanes.Load(y01 + c), d = TLanes.Load(y10 + c), e = TLanes.Load(y11 + c);
            AdjointRow<TLanes>(a, b, to, plane);
            var sum = AdjointRow<TLanes>(a + d, b + e, to + (4 * plane), plane);
            AdjointRow<TLanes>(a - d, b - e, to + (8 * plane), plane);
            AdjointRow<TLanes>(TLanes.Zero - d, TLanes.Zero - e, to + (12 * plane), plane);
            TLanes.Store(TLanes.Load(sums + c) + sum, sums + c);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes AdjointRow<TLanes>(TLanes first, TLanes second, float* to, nint plane)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var sum = first + second;
        TLanes.Store(first, to);
        TLanes.Store(sum, to + plane);
        TLanes.Store(first - second, to + (2 * plane));
        TLanes.Store(TLanes.Zero - second, to + (3 * plane));
        return sum;
    }

    /// <summary>G g Gᵀ of nine taps that are <paramref name="tap"/> apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Weight<TLanes>(float* g, nint tap, float* to, nint plane) where TLanes : struct, ILanes<TLanes, float>
    {
        var half = TLanes.Create(0.5f);
        TLanes a0 = TLanes.Load(g), a1 = TLanes.Load(g + tap), a2 = TLanes.Load(g + (2 * tap));
        TLanes c0 = TLanes.Load(g + (6 * tap)), c1 = TLanes.Load(g + (7 * tap)), c2 = TLanes.Load(g + (8 * tap));
        WeightRow<TLanes>(a0, a1, a2, to, plane);
        WeightRow<TLanes>(c0, c1, c2, to + (12 * plane), plane);
        a0 = half * (a0 + c0);
        a1 = half * (a1 + c1);
        a2 = half * (a2 + c2);
        TLanes b0 = half * TLanes.Load(g + (3 * tap)), b1 = half * TLanes.Load(g + (4 * tap)), b2 = half * TLanes.Load(g + (5 * tap));
        WeightRow<TLanes>(a0 + b0, a1 + b1, a2 + b2, to + (4 * plane), plane);
        WeightRow<TLanes>(a0 - b0, a1 - b1, a2 - b2, to + (8 * plane), plane);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WeightRow<TLanes>(TLanes a, TLanes b, TLanes c, float* to, nint plane) where TLanes : struct, ILanes<TLanes, float>
    {
        var half = TLanes.Create(0.5f);
        var outer = half * (a + c);
        var inner = half * b;
        TLanes.Store(a, to);
        TLanes.Store(outer + inner, to + plane);
        TLanes.Store(outer - inner, to + (2 * plane));
        TLanes.Store(c, to + (3 * plane));
    }

    /// <summary>Gᵀ u G, the adjoint of <see cref="Weight"/>; both sides are <paramref name="width"/> apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void WeightAdjoint<TLanes>(float* u, float* to, nint width) where TLanes : struct, ILanes<TLanes, float>
    {
        AdjointColumn<TLanes>(u, 4 * width, out var a0, out var b0, out var c0);
        AdjointColumn<TLanes>(u + width, 4 * width, out var a1, out var b1, out var c1);
        AdjointColumn<TLanes>(u + (2 * width), 4 * width, out var a2, out var b2, out var c2);
        AdjointColumn<TLanes>(u + (3 * width), 4 * width, out var a3, out var b3, out var c3);
        AdjointTaps<TLanes>(a0, a1, a2, a3, to, width);
        AdjointTaps<TLanes>(b0, b1, b2, b3, to + (3 * width), width);
        AdjointTaps<TLanes>(c0, c1, c2, c3, to + (6 * width), width);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AdjointColumn<TLanes>(float* u, nint row, out TLanes first, out TLanes second, out TLanes third)
        where TLanes : struct, ILanes<TLanes, float> =>
        Adjoint<TLanes>(TLanes.Load(u), TLanes.Load(u + row), TLanes.Load(u + (2 * row)), TLanes.Load(u + (3 * row)), out first, out second,
            out third);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AdjointTaps<TLanes>(TLanes u0, TLanes u1, TLanes u2, TLanes u3, float* to, nint width)
        where TLanes : struct, ILanes<TLanes, float>
    {
        Adjoint<TLanes>(u0, u1, u2, u3, out var first, out var second, out var third);
        TLanes.Store(first, to);
        TLanes.Store(second, to + width);
        TLanes.Store(third, to + (2 * width));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Adjoint<TLanes>(TLanes u0, TLanes u1, TLanes u2, TLanes u3, out TLanes first, out TLanes second, out TLanes third)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var half = TLanes.Create(0.5f);
        var sum = half * (u1 + u2);
        first = u0 + sum;
        second = half * (u1 - u2);
        third = sum + u3;
    }
}
