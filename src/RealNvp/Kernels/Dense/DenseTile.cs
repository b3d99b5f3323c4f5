using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>What becomes of a product before it is stored; null if a part is
/// not wanted. All matrices have the same distance between rows.</summary>
/// <typeparam name="T">float or double.</typeparam>
internal unsafe struct DenseFinish<T> where T : unmanaged
{
    /// <summary>Added to each row.</summary>
    public T* Bias;

    /// <summary>Results of relu: sets the product to 0 if they are 0.</summary>
    public T* Gate;

    /// <summary>Added, after <see cref="Gate"/>.</summary>
    public T* Addend;

    /// <summary>Gets the result; may be <see cref="Addend"/>.</summary>
    public T* Result;

    /// <summary>Gets relu of the result.</summary>
    public T* Relu;

    /// <summary>The distance between rows.</summary>
    public nint Stride;
}

/// <summary>The innermost part of all products: some rows times two vectors, summed in registers.</summary>
/// <remarks>
/// Six rows of two vectors need 12 sums, 2 vectors of the right side and 1 of the left: they fit the 16 registers of AVX2, and 12 chains of
/// additions are enough to hide the latency of a multiply-add.
/// </remarks>
internal static unsafe class DenseTile
{
    public const int Rows = 6, Vectors = 2;

    /// <summary>The rows of <see cref="Tall"/>, and the steps from which on it is the faster one.</summary>
    public const int TallRows = 12, TallSteps = 128;

    /// <summary>Σ over steps of a[row·<paramref name="aRow"/> + step·<paramref name="aStep"/>]·b[step·<paramref name="bStep"/>
    /// + column], finished at <paramref name="at"/> (row 0) and <paramref name="column"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TLanes, T, TRows, TVectors>(T* a, nint aRow, nint aStep, T* b, nint bStep, nint steps, DenseFinish<T>* finish,
        nint at, nint column)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
        where TRows : struct, IDenseNumber
        where TVectors : struct, IDenseNumber
    {
        TLanes s00 = TLanes.Zero, s10 = TLanes.Zero, s20 = TLanes.Zero, s30 = TLanes.Zero, s40 = TLanes.Zero, s50 = TLanes.Zero;
        TLanes s01 = TLanes.Zero, s11 = TLanes.Zero, s21 = TLanes.Zero, s31 = TLanes.Zero, s41 = TLanes.Zero, s51 = TLanes.Zero;
        nint row3 = 3 * aRow, row5 = 5 * aRow;
        for (; steps > 0; steps--)
        {
            var b0 = TLanes.Load(b);
            if (TVectors.Value == 1)
            {
                TLanes.Accumulate(ref s00, b0, a);
                if (TRows.Value > 1) TLanes.Accumulate(ref s10, b0, a + aRow);
                if (TRows.Value > 2) TLanes.Accumulate(ref s20, b0, a + (2 * aRow));
                if (TRows.Value > 3) TLanes.Accumulate(ref s30, b0, a + row3);
                if (TRows.Value > 4) TLanes.Accumulate(ref s40, b0, a + (4 * aRow));
                if (TRows.Value > 5) TLanes.Accumulate(ref s50, b0, a + row5);
            }
            else
            {
                var b1 = TLanes.Load(b + TLanes.Count);
                var x = TLanes.Create(*a);
                TLanes.Accumulate(ref s00, x, b0);
                TLanes.Accumulate(ref s01, x, b1);
                if (TRows.Value > 1)
                {
                    x = TLanes.Create(a[aRow]);
                    TLanes.Accumulate(ref s10, x, b0);
                    TLanes.Accumulate(ref s11, x, b1);
                }
                if (TRows.Value > 2)
                {
                    x = TLanes.Create(a[2 * aRow]);
                    TLanes.Accumulate(ref s20, x, b0);
                    TLanes.Accumulate(ref s21, x, b1);
                }
                if (TRows.Value > 3)
                {
                    x = TLanes.Create(a[row3]);
                    TLanes.Accumulate(ref s30, x, b0);
                    TLanes.Accumulate(ref s31, x, b1);
                }
                if (TRows.Value > 4)
                {
                    x = TLanes.Create(a[4 * aRow]);
                    TLanes.Accumulate(ref s40, x, b0);
                    TLanes.Accumulate(ref s41, x, b1);
                }
                if (TRows.Value > 5)
                {
                    x = TLanes.Create(a[row5]);
                    TLanes.Accumulate(ref s50, x, b0);
                    TLanes.Accumulate(ref s51, x, b1);
                }
            }
            a += aStep;
            b += bStep;
        }
        // in registers: as far as the compiler knows, a result that is stored might change what `finish` points at
        T* bias = finish->Bias, gate = finish->Gate, addend = finish->Addend, result = finish->Result, relu = finish->Relu;
        var stride = finish->Stride;
        at += column;
        Row<TLanes, T, TVectors>(s00, s01, bias, gate, addend, result, relu, at, column);
        if (TRows.Value > 1) Row<TLanes, T, TVectors>(s10, s11, bias, gate, addend, result, relu, at + stride, column);
        if (TRows.Value > 2) Row<TLanes, T, TVectors>(s20, s21, bias, gate, addend, result, relu, at + (2 * stride), column);
        if (TRows.Value > 3) Row<TLanes, T, TVectors>(s30, s31, bias, gate, addend, result, relu, at + (3 * stride), column);
        if (TRows.Value > 4) Row<TLanes, T, TVectors>(s40, s41, bias, gate, addend, result, relu, at + (4 * stride), column);
        if (TRows.Value > 5) Row<TLanes, T, TVectors>(s50, s51, bias, gate, addend, result, relu, at + (5 * stride), column);
    }

    /// <summary>As <see cref="Run"/>, for twelve rows of two vectors.</summary>
    /// <remarks>
    /// Vectors of 512 bits have 32 registers. Twelve rows share what is read of the right side, whose panels for two threads of one core do
    /// not fit its first-level cache. The sums go through memory at the end: a compiler that has them in registers beyond the loop keeps
    /// some of them in memory within it too.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Tall<TLanes, T>(T* a, nint aRow, nint aStep, T* b, nint bStep, nint steps, DenseFinish<T>* finish, nint at,
        nint column)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        TLanes s00 = TLanes.Zero, s10 = TLanes.Zero, s20 = TLanes.Zero, s30 = TLanes.Zero, s40 = TLanes.Zero, s50 = TLanes.Zero;
        TLanes s01 = TLanes.Zero, s11 = TLanes.Zero, s21 = TLanes.Zero, s31 = TLanes.Zero, s41 = TLanes.Zero, s51 = TLanes.Zero;
        TLanes s60 = TLanes.Zero, s70 = TLanes.Zero, s80 = TLanes.Zero, s90 = TLanes.Zero, sA0 = TLanes.Zero, sB0 = TLanes.Zero;
        TLanes s61 = TLanes.Zero, s71 = TLanes.Zero, s81 = TLanes.Zero, s91 = TLanes.Zero, sA1 = TLanes.Zero, sB1 = TLanes.Zero;
        var sums = stackalloc T[TallRows * Vectors * TLanes.Count];
        nint row3 = 3 * aRow, row5 = 5 * aRow;
        var low = a + (6 * aRow);
        for (; steps > 0; steps--)
        {
            TLanes b0 = TLanes.Load(b), b1 = TLanes.Load(b + TLanes.Count);
            TLanes x;
            x = TLanes.Create(*a);
            TLanes.Accumulate(ref s00, x, b0);
            TLanes.Accumulate(ref s01, x, b1);
            x = TLanes.Create(a[aRow]);
            TLanes.Accumulate(ref s10, x, b0);
            TLanes.Accumulate(ref s11, x, b1);
            x = TLanes.Create(a[2 * aRow]);
            TLanes.Accumulate(ref s20, x, b0);
            TLanes.Accumulate(ref s21, x, b1);
            x = TLanes.Create(a[row3]);
            TLanes.Accumulate(ref s30, x, b0);
            TLanes.Accumulate(ref s31, x, b1);
            x = TLanes.Create(a[4 * aRow]);
            TLanes.Accumulate(ref s40, x, b0);
            TLanes.Accumulate(ref s41, x, b1);
            x = TLanes.Create(a[row5]);
            TLanes.Accumulate(ref s50, x, b0);
            TLanes.Accumulate(ref s51, x, b1);
            x = TLanes.Create(*low);
            TLanes.Accumulate(ref s60, x, b0);
            TLanes.Accumulate(ref s61, x, b1);
            x = TLanes.Create(low[aRow]);
            TLanes.Accumulate(ref s70, x, b0);
            TLanes.Accumulate(ref s71, x, b1);
            x = TLanes.Create(low[2 * aRow]);
            TLanes.Accumulate(ref s80, x, b0);
            TLanes.Accumulate(ref s81, x, b1);
            x = TLanes.Create(low[row3]);
            TLanes.Accumulate(ref s90, x, b0);
            TLanes.Accumulate(ref s91, x, b1);
            x = TLanes.Create(low[4 * aRow]);
            TLanes.Accumulate(ref sA0, x, b0);
            TLanes.Accumulate(ref sA1, x, b1);
            x = TLanes.Create(low[row5]);
            TLanes.Accumulate(ref sB0, x, b0);
            TLanes.Accumulate(ref sB1, x, b1);
            a += aStep;
            low += aStep;
            b += bStep;
        }
        TLanes.Store(s00, sums);
        TLanes.Store(s01, sums + TLanes.Count);
        TLanes.Store(s10, sums + (2 * TLanes.Count));
        TLanes.Store(s11, sums + (3 * TLanes.Count));
        TLanes.Store(s20, sums + (4 * TLanes.Count));
        TLanes.Store(s21, sums + (5 * TLanes.Count));
        TLanes.Store(s30, sums + (6 * TLanes.Count));
        TLanes.Store(s31, sums + (7 * TLanes.Count));
        TLanes.Store(s40, sums + (8 * TLanes.Count));
        TLanes.Store(s41, sums + (9 * TLanes.Count));
        TLanes.Store(s50, sums + (10 * TLanes.Count));
        TLanes.Store(s51, sums + (11 * TLanes.Count));
        TLanes.Store(s60, sums + (12 * TLanes.Count));
        TLanes.Store(s61, sums + (13 * TLanes.Count));
        TLanes.Store(s70, sums + (14 * TLanes.Count));
        TLanes.Store(s71, sums + (15 * TLanes.Count));
        TLanes.Store(s80, sums + (16 * TLanes.Count));
        TLanes.Store(s81, sums + (17 * TLanes.Count));
        TLanes.Store(s90, sums + (18 * TLanes.Count));
        TLanes.Store(s91, sums + (19 * TLanes.Count));
        TLanes.Store(sA0, sums + (20 * TLanes.Count));
        TLanes.Store(sA1, sums + (21 * TLanes.Count));
        TLanes.Store(sB0, sums + (22 * TLanes.Count));
        TLanes.Store(sB1, sums + (23 * TLanes.Count));
        for (var row = 0; row < TallRows; row++, sums += Vectors * TLanes.Count, at += finish->Stride)
            Row<TLanes, T, Dense2>(TLanes.Load(sums), TLanes.Load(sums + TLanes.Count), finish->Bias, finish->Gate, finish->Addend,
                finish->Result, finish->Relu, at + column, column);
    }

    /// <summary>What becomes of the sums of a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Row<TLanes, T, TVectors>(TLanes first, TLanes second, T* bias, T* gate, T* addend, T* result,
        T* relu, nint at, nint column)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
        where TVectors : struct, IDenseNumber
    {
        if (bias != null)
        {
            TLanes.Add(ref first, bias + column);
            if (TVectors.Value > 1) TLanes.Add(ref second, bias + column + TLanes.Count);
        }
        if (gate != null)
        {
            first = LaneMath<TLanes, T>.Gate(first, TLanes.Load(gate + at));
            if (TVectors.Value > 1) second = LaneMath<TLanes, T>.Gate(second, TLanes.Load(gate + at + TLanes.Count));
        }
        if (addend != null)
        {
            TLanes.Add(ref first, addend + at);
            if (TVectors.Value > 1) TLanes.Add(ref second, addend + at + TLanes.Count);
        }
        if (result != null)
        {
            TLanes.Store(first, result + at);
            if (TVectors.Value > 1) TLanes.Store(second, result + at + TLanes.Count);
        }
        if (relu == null) return;
        TLanes.Store(LaneMath<TLanes, T>.Relu(first), relu + at);
        if (TVectors.Value > 1) TLanes.Store(LaneMath<TLanes, T>.Relu(second), relu + at + TLanes.Count);
    }
}
