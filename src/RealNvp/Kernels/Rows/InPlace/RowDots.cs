using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RealNvp.Kernels;

/// <summary>The innermost part of a product of few rows: four units of up to four rows at a time, each with a vector of sums.</summary>
internal static unsafe class RowDots<TLanes, T>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    // units and the most rows of a tile
    private const int Units = 4, Most = 4;

    // four rows of four sums, with what they are made of, need more registers than AVX2 has
    private static int MostRows => TLanes.Count == 1 || Vector512.IsHardwareAccelerated ? Most : 2;

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
            T* from = x + (row * xRow), to = sums + (row * sumsRow);
            switch (Math.Min(MostRows, rows - row))
            {
                case 1: Run<Dense1>(from, xRow, inputs, weight, weightRow, units, to, sumsRow); break;
                case 2: Run<Dense2>(from, xRow, inputs, weight, weightRow, units, to, sumsRow); break;
                case 3: Run<Dense3>(from, xRow, inputs, weight, weightRow, units, to, sumsRow); break;
                default: Run<Dense4>(from, xRow, inputs, weight, weightRow, units, to, sumsRow); break;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    private static void Run<TRows>(T* x, nint xRow, int inputs, T* weight, nint weightRow, int units, T* sums, nint sumsRow)
        where TRows : struct, IDenseNumber
    {
        var rest = inputs % TLanes.Count;
        var end = stackalloc T[Most * TLanes.Count];
        // the last vector ends with the inputs: what was counted before is 0 in it
        for (var row = 0; row < TRows.Value && rest > 0; row++)
            for (var i = 0; i < TLanes.Count; i++)
                end[(row * TLanes.Count) + i] = i < TLanes.Count - rest ? T.Zero : x[(row * xRow) + inputs - TLanes.Count + i];
        var tail = rest > 0 ? end : null;
        var unit = 0;
        for (; unit + Units <= units; unit += Units)
            Tile<TRows>(x, xRow, inputs, tail, weight + (unit * weightRow), weightRow, nint.MaxValue, sums + unit, sumsRow);
        if (unit == units) return;
        // units that there are not are the last one again
        var some = stackalloc T[Most * Units];
        Tile<TRows>(x, xRow, inputs, tail, weight + (unit * weightRow), weightRow, (units - unit - 1) * weightRow, some, Units);
        for (var row = 0; row < TRows.Value; row++)
            for (var i = 0; i < units - unit; i++) sums[(row * sumsRow) + unit + i] = some[(row * Units) + i];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Tile<TRows>(T* x, nint xRow, int inputs, T* end, T* w, nint apart, nint last, T* sums, nint sumsRow)
        where TRows : struct, IDenseNumber
    {
        TLanes s00 = TLanes.Zero, s01 = TLanes.Zero, s02 = TLanes.Zero, s03 = TLanes.Zero;
        TLanes s10 = TLanes.Zero, s11 = TLanes.Zero, s12 = TLanes.Zero, s13 = TLanes.Zero;
        TLanes s20 = TLanes.Zero, s21 = TLanes.Zero, s22 = TLanes.Zero, s23 = TLanes.Zero;
        TLanes s30 = TLanes.Zero, s31 = TLanes.Zero, s32 = TLanes.Zero, s33 = TLanes.Zero;
        nint w1 = Math.Min(apart, last), w2 = Math.Min(2 * apart, last), w3 = Math.Min(3 * apart, last);
        nint step = 0, stop = inputs - TLanes.Count;
        while (true)
        {
            for (; step <= stop; step += TLanes.Count)
            {
                TLanes a = TLanes.Load(w + step), b = TLanes.Load(w + step + w1), c = TLanes.Load(w + step + w2),
                    d = TLanes.Load(w + step + w3);
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
        Sum(s00, s01, s02, s03, s10, s11, s12, s13, sums, TRows.Value > 1 ? sums + sumsRow : null);
        if (TRows.Value > 2)
            Sum(s20, s21, s22, s23, s30, s31, s32, s33, sums + (2 * sumsRow), TRows.Value > 3 ? sums + (3 * sumsRow) : null);
    }

    // the sums over the lanes of twice four vectors
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Sum(TLanes a0, TLanes a1, TLanes a2, TLanes a3, TLanes b0, TLanes b1, TLanes b2, TLanes b3, T* a, T* b)
    {
        if (typeof(TLanes) == typeof(Lanes512<float>) && Avx512F.IsSupported)
        {
            // each lane of four numbers: the four partial sums of a vector
            Vector512<float> first = Quarters(Wide(a0), Wide(a1), Wide(a2), Wide(a3)),
                second = Quarters(Wide(b0), Wide(b1), Wide(b2), Wide(b3));
            var pairs = Avx512F.Shuffle(first, second, 0x88) + Avx512F.Shuffle(first, second, 0xDD);
            pairs += Avx512F.Shuffle(pairs, pairs, 0xB1);
            var all = Avx512F.PermuteVar16x32(pairs, Vector512.Create(0, 4, 8, 12, 2, 6, 10, 14, 0, 4, 8, 12, 2, 6, 10, 14)).GetLower();
            all.GetLower().Store((float*)a);
            if (b != null) all.GetUpper().Store((float*)b);
            return;
        }
        Sum(a0, a1, a2, a3, a);
        if (b != null) Sum(b0, b1, b2, b3, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Wide(TLanes a) => Unsafe.BitCast<TLanes, Vector512<float>>(a);

    // lane i holds four numbers whose sum is that of vector i
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Quarters(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d)
    {
        var ab = Avx512F.Shuffle4x128(a, b, 0x44) + Avx512F.Shuffle4x128(a, b, 0xEE);
        var cd = Avx512F.Shuffle4x128(c, d, 0x44) + Avx512F.Shuffle4x128(c, d, 0xEE);
        return Avx512F.Shuffle4x128(ab, cd, 0x88) + Avx512F.Shuffle4x128(ab, cd, 0xDD);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Sum(TLanes a, TLanes b, TLanes c, TLanes d, T* to)
    {
        if (typeof(TLanes) == typeof(Lanes256<float>) && Avx.IsSupported)
        {
            var all = Avx.HorizontalAdd(Avx.HorizontalAdd(Narrow(a), Narrow(b)), Avx.HorizontalAdd(Narrow(c), Narrow(d)));
            (all.GetLower() + all.GetUpper()).Store((float*)to);
            return;
        }
        to[0] = TLanes.Sum(a);
        to[1] = TLanes.Sum(b);
        to[2] = TLanes.Sum(c);
        to[3] = TLanes.Sum(d);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Narrow(TLanes a) => Unsafe.BitCast<TLanes, Vector256<float>>(a);
}
