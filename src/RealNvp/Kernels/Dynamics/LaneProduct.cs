using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Products of a weight with columns of lanes: each row of a batch is a lane, and
/// a column is one number of as many rows as a vector has lanes.</summary>
/// <remarks>
/// <para>With rows in the lanes a network of 2 inputs and 2 outputs fills its vectors as one of 64 does, and so does all that lies between
/// products. A lane does what the others do, so the bits of a row depend on no other row, and on no width of vectors.</para>
/// <para>A matrix of columns is (features, columns) vectors; features are padded to panels of <see cref="Panel"/>.</para>
/// </remarks>
internal static unsafe class LaneProduct
{
    /// <summary>The outputs of a panel.</summary>
    public const int Panel = 4;

    /// <summary>As many features, and those that fill the last panel.</summary>
    public static int Padded(int features) => (features + Panel - 1) / Panel * Panel;

    /// <summary>The elements of a packed weight.</summary>
    public static long PanelSize(int outputs, int inputs) => (long)Padded(outputs) * inputs;

    /// <summary>Copies a weight into panels of <see cref="Panel"/> outputs, input by input; outputs that are missing are zeros.</summary>
    public static void Pack<T>(T* weight, nint outputStride, nint inputStride, int outputs, int inputs, T* to) where T : unmanaged
    {
        for (var output = 0; output < outputs; output += Panel)
            for (var input = 0; input < inputs; input++)
                for (var k = 0; k < Panel; k++)
                    *to++ = output + k < outputs ? weight[((output + k) * outputStride) + (input * inputStride)] : default;
    }

    /// <summary>y[o][c] = Σᵢ W[o, i] x[i][c] for some columns; writes all outputs of the last panel.</summary>
    /// <param name="panels">W, packed.</param>
    /// <param name="outputs">O.</param>
    /// <param name="inputs">I.</param>
    /// <param name="x">The first column of the first input.</param>
    /// <param name="xStride">The elements from one input to the next.</param>
    /// <param name="y">The first column of the first output.</param>
    /// <param name="yStride">The elements from one output to the next.</param>
    /// <param name="columns">The number of columns.</param>
    public static void Multiply<TLanes, T>(T* panels, int outputs, int inputs, T* x, nint xStride, T* y, nint yStride, int columns)
        where TLanes : struct, ILanes<TLanes, T> where T : unmanaged
    {
        var column = 0;
        for (; columns - column >= 3 && columns - column != 4; column += 3)
            for (var output = 0; output < outputs; output += Panel)
                Three<TLanes, T>(panels + ((nint)output * inputs), inputs, x + (column * TLanes.Count), xStride,
                    y + (output * yStride) + (column * TLanes.Count), yStride);
        for (; columns - column >= 2; column += 2)
            for (var output = 0; output < outputs; output += Panel)
                Two<TLanes, T>(panels + ((nint)output * inputs), inputs, x + (column * TLanes.Count), xStride,
                    y + (output * yStride) + (column * TLanes.Count), yStride);
        if (column == columns) return;
        var first = 0;
        for (; outputs - first > Panel; first += 2 * Panel)
            One<TLanes, T>(panels + ((nint)first * inputs), inputs, x + (column * TLanes.Count), xStride,
                y + (first * yStride) + (column * TLanes.Count), yStride);
        if (first < outputs)
            Last<TLanes, T>(panels + ((nint)first * inputs), inputs, x + (column * TLanes.Count), xStride,
                y + (first * yStride) + (column * TLanes.Count), yStride);
    }

    // 12 sums: they hide the latency of a multiply-add, and fit 16 registers with three columns and a weight
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Three<TLanes, T>(T* w, int steps, T* x, nint xStride, T* y, nint yStride)
        where TLanes : struct, ILanes<TLanes, T> where T : unmanaged
    {
        TLanes s00 = TLanes.Zero, s01 = TLanes.Zero, s02 = TLanes.Zero, s10 = TLanes.Zero, s11 = TLanes.Zero, s12 = TLanes.Zero;
        TLanes s20 = TLanes.Zero, s21 = TLanes.Zero, s22 = TLanes.Zero, s30 = TLanes.Zero, s31 = TLanes.Zero, s32 = TLanes.Zero;
        for (; steps > 0; steps--)
        {
            TLanes x0 = TLanes.Load(x), x1 = TLanes.Load(x + TLanes.Count), x2 = TLanes.Load(x + (2 * TLanes.Count));
            var b = TLanes.Create(w[0]);
            TLanes.Accumulate(ref s00, b, x0);
            TLanes.Accumulate(ref s01, b, x1);
            TLanes.Accumulate(ref s02, b, x2);
            b = TLanes.Create(w[1]);
            TLanes.Accumulate(ref s10, b, x0);
            TLanes.Accumulate(ref s11, b, x1);
            TLanes.Accumulate(ref s12, b, x2);
            b = TLanes.Create(w[2]);
            TLanes.Accumulate(ref s20, b, x0);
            TLanes.Accumulate(ref s21, b, x1);
            TLanes.Accumulate(ref s22, b, x2);
            b = TLanes.Create(w[3]);
            TLanes.Accumulate(ref s30, b, x0);
            TLanes.Accumulate(ref s31, b, x1);
            TLanes.Accumulate(ref s32, b, x2);
            x += xStride;
            w += Panel;
        }
        Store<TLanes, T>(s00, s01, y);
        TLanes.Store(s02, y + (2 * TLanes.Count));
        Store<TLanes, T>(s10, s11, y + yStride);
        TLanes.Store(s12, y + yStride + (2 * TLanes.Count));
        Store<TLanes, T>(s20, s21, y + (2 * yStride));
        TLanes.Store(s22, y + (2 * yStride) + (2 * TLanes.Count));
        Store<TLanes, T>(s30, s31, y + (3 * yStride));
        TLanes.Store(s32, y + (3 * yStride) + (2 * TLanes.Count));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Two<TLanes, T>(T* w, int steps, T* x, nint xStride, T* y, nint yStride)
        where TLanes : struct, ILanes<TLanes, T> where T : unmanaged
    {
        TLanes s00 = TLanes.Zero, s01 = TLanes.Zero, s10 = TLanes.Zero, s11 = TLanes.Zero;
        TLanes s20 = TLanes.Zero, s21 = TLanes.Zero, s30 = TLanes.Zero, s31 = TLanes.Zero;
        for (; steps > 0; steps--)
        {
            TLanes x0 = TLanes.Load(x), x1 = TLanes.Load(x + TLanes.Count);
            var b = TLanes.Create(w[0]);
            TLanes.Accumulate(ref s00, b, x0);
            TLanes.Accumulate(ref s01, b, x1);
            b = TLanes.Create(w[1]);
            TLanes.Accumulate(ref s10, b, x0);
            TLanes.Accumulate(ref s11, b, x1);
            b = TLanes.Create(w[2]);
            TLanes.Accumulate(ref s20, b, x0);
            TLanes.Accumulate(ref s21, b, x1);
            b = TLanes.Create(w[3]);
            TLanes.Accumulate(ref s30, b, x0);
            TLanes.Accumulate(ref s31, b, x1);
            x += xStride;
            w += Panel;
        }
        Store<TLanes, T>(s00, s01, y);
        Store<TLanes, T>(s10, s11, y + yStride);
        Store<TLanes, T>(s20, s21, y + (2 * yStride));
        Store<TLanes, T>(s30, s31, y + (3 * yStride));
    }

    // two panels of outputs at once: with one column, one would have too few sums to hide the latency
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One<TLanes, T>(T* w, int steps, T* x, nint xStride, T* y, nint yStride)
        where TLanes : struct, ILanes<TLanes, T> where T : unmanaged
    {
        TLanes s0 = TLanes.Zero, s1 = TLanes.Zero, s2 = TLanes.Zero, s3 = TLanes.Zero;
        TLanes s4 = TLanes.Zero, s5 = TLanes.Zero, s6 = TLanes.Zero, s7 = TLanes.Zero;
        var next = w + ((nint)steps * Panel);
        for (; steps > 0; steps--)
        {
            var x0 = TLanes.Load(x);
            TLanes.Accumulate(ref s0, x0, w);
            TLanes.Accumulate(ref s1, x0, w + 1);
            TLanes.Accumulate(ref s2, x0, w + 2);
            TLanes.Accumulate(ref s3, x0, w + 3);
            TLanes.Accumulate(ref s4, x0, next);
            TLanes.Accumulate(ref s5, x0, next + 1);
            TLanes.Accumulate(ref s6, x0, next + 2);
            TLanes.Accumulate(ref s7, x0, next + 3);
            x += xStride;
            w += Panel;
            next += Panel;
        }
        TLanes.Store(s0, y);
        TLanes.Store(s1, y + yStride);
        TLanes.Store(s2, y + (2 * yStride));
        TLanes.Store(s3, y + (3 * yStride));
        y += 4 * yStride;
        TLanes.Store(s4, y);
        TLanes.Store(s5, y + yStride);
        TLanes.Store(s6, y + (2 * yStride));
        TLanes.Store(s7, y + (3 * yStride));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Last<TLanes, T>(T* w, int steps, T* x, nint xStride, T* y, nint yStride)
        where TLanes : struct, ILanes<TLanes, T> where T : unmanaged
    {
        TLanes s0 = TLanes.Zero, s1 = TLanes.Zero, s2 = TLanes.Zero, s3 = TLanes.Zero;
        for (; steps > 0; steps--)
        {
            var x0 = TLanes.Load(x);
            TLanes.Accumulate(ref s0, x0, w);
            TLanes.Accumulate(ref s1, x0, w + 1);
            TLanes.Accumulate(ref s2, x0, w + 2);
            TLanes.Accumulate(ref s3, x0, w + 3);
            x += xStride;
            w += Panel;
        }
        TLanes.Store(s0, y);
        TLanes.Store(s1, y + yStride);
        TLanes.Store(s2, y + (2 * yStride));
        TLanes.Store(s3, y + (3 * yStride));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TLanes, T>(TLanes first, TLanes second, T* to) where TLanes : struct, ILanes<TLanes, T> where T : unmanaged
    {
        TLanes.Store(first, to);
        TLanes.Store(second, to + TLanes.Count);
    }
}
