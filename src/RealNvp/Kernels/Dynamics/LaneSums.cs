using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Sums over rows that lie in lanes: the gradients of weights.</summary>
internal static unsafe class LaneSums
{
    private const int Outputs = 4, Inputs = 3;

    /// <summary>to[o, i] += Σ over columns and lanes of g[o]·x[i].</summary>
    /// <param name="g">The first column of the first output.</param>
    /// <param name="gStride">The elements from one output to the next.</param>
    /// <param name="outputs">The outputs.</param>
    /// <param name="x">The first column of the first input.</param>
    /// <param name="xStride">The elements from one input to the next.</param>
    /// <param name="inputs">The inputs.</param>
    /// <param name="columns">The columns, one after the other.</param>
    /// <param name="to">The sums (outputs, inputs).</param>
    public static void Add<TLanes, T>(T* g, nint gStride, int outputs, T* x, nint xStride, int inputs, int columns, T* to)
        where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, System.Numerics.INumberBase<T>
    {
        for (var o = 0; o < outputs; o += Outputs)
            for (var i = 0; i < inputs; i += Inputs)
                Tile<TLanes, T>(g + (o * gStride), gStride, Math.Min(Outputs, outputs - o), x + (i * xStride), xStride,
                    Math.Min(Inputs, inputs - i), columns * TLanes.Count, to + ((nint)o * inputs) + i, inputs);
    }

    /// <summary>Σ over columns and lanes of g·x.</summary>
    public static T Dot<TLanes, T>(T* g, nint gStep, T* x, nint xStep, int columns)
        where TLanes : struct, ILanes<TLanes, T> where T : unmanaged
    {
        var sum = TLanes.Zero;
        for (; columns > 0; columns--, g += gStep, x += xStep) TLanes.Accumulate(ref sum, TLanes.Load(g), TLanes.Load(x));
        return TLanes.Sum(sum);
    }

    /// <summary>Σ over columns and lanes of g.</summary>
    public static T Total<TLanes, T>(T* g, nint step, int columns) where TLanes : struct, ILanes<TLanes, T> where T : unmanaged
    {
        var sum = TLanes.Zero;
        for (; columns > 0; columns--, g += step) sum += TLanes.Load(g);
        return TLanes.Sum(sum);
    }

    /// <summary>to[k] += Σ over lanes of vector k.</summary>
    public static void AddEach<TLanes, T>(T* from, int count, T* to)
        where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, System.Numerics.INumberBase<T>
    {
        for (var k = 0; k < count; k++) to[k] += TLanes.Sum(TLanes.Load(from + (k * TLanes.Count)));
    }

    // what a tile lacks is computed twice, and not written
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TLanes, T>(T* g, nint gStride, int outputs, T* x, nint xStride, int inputs, nint end, T* to, nint stride)
        where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, System.Numerics.INumberBase<T>
    {
        TLanes s00 = TLanes.Zero, s01 = TLanes.Zero, s02 = TLanes.Zero, s10 = TLanes.Zero, s11 = TLanes.Zero, s12 = TLanes.Zero;
        TLanes s20 = TLanes.Zero, s21 = TLanes.Zero, s22 = TLanes.Zero, s30 = TLanes.Zero, s31 = TLanes.Zero, s32 = TLanes.Zero;
        T* g1 = outputs > 1 ? g + gStride : g, g2 = outputs > 2 ? g + (2 * gStride) : g, g3 = outputs > 3 ? g + (3 * gStride) : g;
        T* x1 = inputs > 1 ? x + xStride : x, x2 = inputs > 2 ? x + (2 * xStride) : x;
        for (nint at = 0; at < end; at += TLanes.Count)
        {
            TLanes a = TLanes.Load(x + at), b = TLanes.Load(x1 + at), c = TLanes.Load(x2 + at);
            var d = TLanes.Load(g + at);
            TLanes.Accumulate(ref s00, d, a);
            TLanes.Accumulate(ref s01, d, b);
            TLanes.Accumulate(ref s02, d, c);
            d = TLanes.Load(g1 + at);
            TLanes.Accumulate(ref s10, d, a);
            TLanes.Accumulate(ref s11, d, b);
            TLanes.Accumulate(ref s12, d, c);
            d = TLanes.Load(g2 + at);
            TLanes.Accumulate(ref s20, d, a);
            TLanes.Accumulate(ref s21, d, b);
            TLanes.Accumulate(ref s22, d, c);
            d = TLanes.Load(g3 + at);
            TLanes.Accumulate(ref s30, d, a);
            TLanes.Accumulate(ref s31, d, b);
            TLanes.Accumulate(ref s32, d, c);
        }
        Row<TLanes, T>(s00, s01, s02, inputs, to);
        if (outputs > 1) Row<TLanes, T>(s10, s11, s12, inputs, to + stride);
        if (outputs > 2) Row<TLanes, T>(s20, s21, s22, inputs, to + (2 * stride));
        if (outputs > 3) Row<TLanes, T>(s30, s31, s32, inputs, to + (3 * stride));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Row<TLanes, T>(TLanes a, TLanes b, TLanes c, int inputs, T* to)
        where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, System.Numerics.INumberBase<T>
    {
        to[0] += TLanes.Sum(a);
        if (inputs > 1) to[1] += TLanes.Sum(b);
        if (inputs > 2) to[2] += TLanes.Sum(c);
    }
}
