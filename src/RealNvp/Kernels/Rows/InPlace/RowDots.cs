using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RealNvp.Kernels;

/// <summary>The innermost part of a product of one to four rows that lie one after the other: four units at a time, each with a vector of
/// sums for each row.</summary>
internal static unsafe class RowDots<TLanes, T>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const int Units = 4;

    // four rows of four sums, with what they are made of, need more registers than AVX2 has
    private static int MostRows => TLanes.Count == 1 || Vector512.IsHardwareAccelerated ? RowForm<T>.MostApart : 2;

    /// <summary>Sums of units.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="x">What the units see, side by side.</param>
    /// <param name="xRow">From one of its rows to the next.</param>
    /// <param name="inputs">How much of it, a vector at least.</param>
    /// <param name="weight">The numbers of a unit, side by side.</param>
    /// <param name="weightRow">From one unit to the next.</param>
    /// <param name="units">How many units.</param>
    /// <param name="sums">Gets the sums.</param>
    /// <param name="sumsRow">From one of its rows to the next.</param>
    public static void Run(int rows, T* x, nint xRow, int inputs, T* weight, nint weightRow, int units, T* sums, nint sumsRow)
    {
        for (var row = 0; row < rows; row += MostRows)
        {
            var some = Math.Min(MostRows, rows - row);
            var (from, to) = ((nint)(x + (row * xRow)), (nint)(sums + (row * sumsRow)));
            switch (some)
            {
                case 1: Run<Dense1>((T*)from, xRow, inputs, weight, weightRow, units, (T*)to, sumsRow); break;
                case 2: Run<Dense2>((T*)from, xRow, inputs, weight, weightRow, units, (T*)to, sumsRow); break;
                case 3: Run<Dense3>((T*)from, xRow, inputs, weight, weightRow, units, (T*)to, sumsRow); break;
                default: Run<Dense4>((T*)from, xRow, inputs, weight, weightRow, units, (T*)to, sumsRow); break;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run<TRows>(T* x, nint xRow, int inputs, T* weight, nint weightRow, int units, T* sums, nint sumsRow)
        where TRows : struct, IDenseNumber
    {
        var rest = inputs % TLanes.Count;
        var end = stackalloc T[RowForm<T>.MostApart * TLanes.Count];
        // the last vector ends with the inputs: what was counted before is 0 in it
        for (var row = 0; row < TRows.Value && rest > 0; row++)
            for (var i = 0; i < TLanes.Count; i++)
                end[(row * TLanes.Count) + i] = i < TLanes.Count - rest ? T.Zero : x[(row * xRow) + inputs - TLanes.Count + i];
        var some = stackalloc T[RowForm<T>.MostApart * Units];
        var unit = 0;
        for (; unit + Units <= units; unit += Units)
            Four<TRows>(x, xRow, inputs, rest > 0 ? end : null, weight + (unit * weightRow), weightRow, 2 * weightRow, 3 * weightRow,
                sums + unit, sumsRow);
        if (unit == units) return;
        // units that there are not are the last one again
        var last = (units - unit - 1) * weightRow;
        Four<TRows>(x, xRow, inputs, rest > 0 ? end : null, weight + (unit * weightRow), Math.Min(weightRow, last),
            Math.Min(2 * weightRow, last), Math.Min(3 * weightRow, last), some, Units);
        for (var row = 0; row < TRows.Value; row++)
            for (var i = 0; i < units - unit; i++) sums[(row * sumsRow) + unit + i] = some[(row * Units) + i];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Four<TRows>(T* x, nint xRow, int inputs, T* end, T* w, nint second, nint third, nint fourth, T* sums, nint sumsRow)
        where TRows : struct, IDenseNumber
    {
        TLanes s00 = TLanes.Zero, s01 = TLanes.Zero, s02 = TLanes.Zero, s03 = TLanes.Zero;
        TLanes s10 = TLanes.Zero, s11 = TLanes.Zero, s12 = TLanes.Zero, s13 = TLanes.Zero;
        TLanes s20 = TLanes.Zero, s21 = TLanes.Zero, s22 = TLanes.Zero, s23 = TLanes.Zero;
        TLanes s30 = TLanes.Zero, s31 = TLanes.Zero, s32 = TLanes.Zero, s33 = TLanes.Zero;
        nint step = 0, stop = inputs - TLanes.Count;
        while (true)
        {
            for (; step <= stop; step += TLanes.Count)
            {
                TLanes a = TLanes.Load(w + step), b = TLanes.Load(w + step + second), c = TLanes.Load(w + step + third),
                    d = TLanes.Load(w + step + fourth);
                var v = TLanes.Load(x + step);
                TLanes.Accumulate(ref s00, v, a);
                TLanes.Accumulate(ref s01, v, b);
                TLanes.Accumulate(ref s02, v, c);
                TLanes.Accumulate(ref s03, v, d);
                if (TRows.Value > 1)
                {
                    v = TLanes.Load(x + xRow + step);
                    TLanes.Accumulate(ref s10, v, a);
                    TLanes.Accumulate(ref s11, v, b);
                    TLanes.Accumulate(ref s12, v, c);
                    TLanes.Accumulate(ref s13, v, d);
                }
                if (TRows.Value > 2)
                {
                    v = TLanes.Load(x + (2 * xRow) + step);
                    TLanes.Accumulate(ref s20, v, a);
                    TLanes.Accumulate(ref s21, v, b);
                    TLanes.Accumulate(ref s22, v, c);
                    TLanes.Accumulate(ref s23, v, d);
                }
                if (TRows.Value > 3)
                {
                    v = TLanes.Load(x + (3 * xRow) + step);
                    TLanes.Accumulate(ref s30, v, a);
                    TLanes.Accumulate(ref s31, v, b);
                    TLanes.Accumulate(ref s32, v, c);
                    TLanes.Accumulate(ref s33, v, d);
                }
            }
            if (end == null) break;
            // once more, for the vector at the end
            x = end - stop;
            xRow = TLanes.Count;
            step = stop;
            end = null;
        }
        Sum(s00, s01, s02, s03, sums);
        if (TRows.Value > 1) Sum(s10, s11, s12, s13, sums + sumsRow);
        if (TRows.Value > 2) Sum(s20, s21, s22, s23, sums + (2 * sumsRow));
        if (TRows.Value > 3) Sum(s30, s31, s32, s33, sums + (3 * sumsRow));
    }

    // the sums over the lanes of four vectors
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Sum(TLanes a, TLanes b, TLanes c, TLanes d, T* to)
    {
        if (typeof(TLanes) == typeof(Lanes512<float>) && Avx.IsSupported)
            Pairs(Half(a), Half(b), Half(c), Half(d)).Store((float*)to);
        else if (typeof(TLanes) == typeof(Lanes256<float>) && Avx.IsSupported)
            Pairs(Unsafe.BitCast<TLanes, Vector256<float>>(a), Unsafe.BitCast<TLanes, Vector256<float>>(b),
                Unsafe.BitCast<TLanes, Vector256<float>>(c), Unsafe.BitCast<TLanes, Vector256<float>>(d)).Store((float*)to);
        else
        {
            to[0] = TLanes.Sum(a);
            to[1] = TLanes.Sum(b);
            to[2] = TLanes.Sum(c);
            to[3] = TLanes.Sum(d);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Half(TLanes a)
    {
        var v = Unsafe.BitCast<TLanes, Vector512<float>>(a);
        return v.GetLower() + v.GetUpper();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Pairs(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d)
    {
        var all = Avx.HorizontalAdd(Avx.HorizontalAdd(a, b), Avx.HorizontalAdd(c, d));
        return all.GetLower() + all.GetUpper();
    }
}
