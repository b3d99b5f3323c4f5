using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>The products between transformed tiles: as <see cref="DenseProduct"/>, for panels as wide as their rows lie apart.</summary>
/// <remarks>
/// These have few steps, 32 or 64 channels or the tiles of a block, so that what surrounds the loop counts. Vectors of 512 bits have 32
/// registers: eight rows of two vectors, of which blocks of tiles and most numbers of channels are multiples, and a store at the end.
/// </remarks>
internal static unsafe class WinogradProduct
{
    private const int Rows = 8;

    /// <summary>Rows of Σ over steps of a[row·<paramref name="aRow"/> + step·<paramref name="aStep"/>]·b[step·width + column].</summary>
    /// <param name="a">The left side.</param>
    /// <param name="aRow">From one of its rows to the next.</param>
    /// <param name="aStep">From one of its steps to the next.</param>
    /// <param name="b">The right side.</param>
    /// <param name="width">Its columns: one vector or two.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="steps">The steps.</param>
    /// <param name="adds">Whether they are added to what is there.</param>
    /// <param name="to">Gets the rows, as wide.</param>
    public static void Multiply<TLanes>(float* a, nint aRow, nint aStep, float* b, int width, int rows, int steps, bool adds, float* to)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var whole = TLanes.Count == 16 && width == 2 * TLanes.Count ? rows / Rows * Rows : 0;
        if (whole > 0) Tiles<TLanes>(a, aRow * sizeof(float), aStep, b, whole, steps, adds, to);
        if (whole == rows) return;
        to += (nint)whole * width;
        DenseProduct.Multiply<TLanes, float>(a + (whole * aRow), aRow, aStep, b, width, rows - whole, width, steps,
            new DenseFinish<float> { Addend = adds ? to : null, Result = to, Stride = width });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tiles<TLanes>(float* a, nint apart, nint aStep, float* b, int rows, int steps, bool adds, float* to)
        where TLanes : struct, ILanes<TLanes, float>
    {
        nint row2 = 2 * apart, row3 = 3 * apart, row4 = 4 * apart, row5 = 5 * apart, row6 = 6 * apart, row7 = 7 * apart;
        for (; rows > 0; rows -= Rows)
        {
            TLanes s00 = TLanes.Zero, s10 = TLanes.Zero, s20 = TLanes.Zero, s30 = TLanes.Zero;
            TLanes s40 = TLanes.Zero, s50 = TLanes.Zero, s60 = TLanes.Zero, s70 = TLanes.Zero;
            TLanes s01 = TLanes.Zero, s11 = TLanes.Zero, s21 = TLanes.Zero, s31 = TLanes.Zero;
            TLanes s41 = TLanes.Zero, s51 = TLanes.Zero, s61 = TLanes.Zero, s71 = TLanes.Zero;
            float* left = a, right = b;
            for (nint step = steps; step > 0; step--, left += aStep, right += 2 * TLanes.Count)
            {
                TLanes b0 = TLanes.Load(right), b1 = TLanes.Load(right + TLanes.Count);
                var x = TLanes.Create(*left);
                TLanes.Accumulate(ref s00, x, b0);
                TLanes.Accumulate(ref s01, x, b1);
                x = At<TLanes>(left, apart);
                TLanes.Accumulate(ref s10, x, b0);
                TLanes.Accumulate(ref s11, x, b1);
                x = At<TLanes>(left, row2);
                TLanes.Accumulate(ref s20, x, b0);
                TLanes.Accumulate(ref s21, x, b1);
                x = At<TLanes>(left, row3);
                TLanes.Accumulate(ref s30, x, b0);
                TLanes.Accumulate(ref s31, x, b1);
                x = At<TLanes>(left, row4);
                TLanes.Accumulate(ref s40, x, b0);
                TLanes.Accumulate(ref s41, x, b1);
                x = At<TLanes>(left, row5);
                TLanes.Accumulate(ref s50, x, b0);
                TLanes.Accumulate(ref s51, x, b1);
                x = At<TLanes>(left, row6);
                TLanes.Accumulate(ref s60, x, b0);
                TLanes.Accumulate(ref s61, x, b1);
                x = At<TLanes>(left, row7);
                TLanes.Accumulate(ref s70, x, b0);
                TLanes.Accumulate(ref s71, x, b1);
            }
            if (adds)
            {
                Add<TLanes>(ref s00, ref s01, to);
                Add<TLanes>(ref s10, ref s11, to + (2 * TLanes.Count));
                Add<TLanes>(ref s20, ref s21, to + (4 * TLanes.Count));
                Add<TLanes>(ref s30, ref s31, to + (6 * TLanes.Count));
                Add<TLanes>(ref s40, ref s41, to + (8 * TLanes.Count));
                Add<TLanes>(ref s50, ref s51, to + (10 * TLanes.Count));
                Add<TLanes>(ref s60, ref s61, to + (12 * TLanes.Count));
                Add<TLanes>(ref s70, ref s71, to + (14 * TLanes.Count));
            }
            Store(s00, s01, to);
            Store(s10, s11, to + (2 * TLanes.Count));
            Store(s20, s21, to + (4 * TLanes.Count));
            Store(s30, s31, to + (6 * TLanes.Count));
            Store(s40, s41, to + (8 * TLanes.Count));
            Store(s50, s51, to + (10 * TLanes.Count));
            Store(s60, s61, to + (12 * TLanes.Count));
            Store(s70, s71, to + (14 * TLanes.Count));
            to += Rows * 2 * TLanes.Count;
            a = (float*)((byte*)a + (Rows * apart));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes At<TLanes>(float* from, nint bytes) where TLanes : struct, ILanes<TLanes, float> =>
        TLanes.Create(*(float*)((byte*)from + bytes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<TLanes>(ref TLanes first, ref TLanes second, float* from) where TLanes : struct, ILanes<TLanes, float>
    {
        TLanes.Add(ref first, from);
        TLanes.Add(ref second, from + TLanes.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TLanes>(TLanes first, TLanes second, float* to) where TLanes : struct, ILanes<TLanes, float>
    {
        TLanes.Store(first, to);
        TLanes.Store(second, to + TLanes.Count);
    }
}
