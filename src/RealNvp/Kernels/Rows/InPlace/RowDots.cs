using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace RealNvp.Kernels;

/// <summary>Units of a layer that see the same part of what is before them.</summary>
/// <param name="Weight">Where the numbers of the first one are in the weight, from the first one on that it sees.</param>
/// <param name="From">The first of what they see.</param>
/// <param name="Inputs">How much they see.</param>
/// <param name="Units">How many units.</param>
internal readonly record struct RowFlight(nint Weight, int From, int Inputs, int Units);

/// <summary>The innermost part of a product of few rows: four units of up to four rows at a time, each with a vector of sums, or eight of
/// one row.</summary>
internal static unsafe class RowDots<TLanes, T>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    // units and the most rows of a tile
    private const int Units = 4, Most = 4;

    // vectors of a row that stay in registers beside as many sums
    private const int Held = 8;

    // four rows of four sums, with what they are made of, need more registers than AVX2 has
    private static int MostRows => TLanes.Count == 1 || Vector512.IsHardwareAccelerated ? Most : 2;

    /// <summary>Sums of units.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="x">What the units see, side by side.</param>
    /// <param name="xRow">From one of its rows to the next.</param>
    /// <param name="width">How much there is of it, and of the numbers of a unit: a vector at least.</param>
    /// <param name="weight">The numbers of units, side by side.</param>
    /// <param name="weightRow">From one unit of a flight to the next.</param>
    /// <param name="flights">The units.</param>
    /// <param name="count">How many flights.</param>
    /// <param name="sums">Gets the sums.</param>
    /// <param name="sumsRow">From one of its rows to the next.</param>
    public static void Run(int rows, T* x, nint xRow, int width, T* weight, nint weightRow, RowFlight* flights, int count, T* sums,
        nint sumsRow)
    {
        var window = RowWindow<T>.Numbers;
        for (var row = 0; row < rows; row += MostRows)
        {
            T* from = x + (row * xRow), to = sums + (row * sumsRow);
            switch (Math.Min(MostRows, rows - row))
            {
                case 1: One(from, width, weight, weightRow, flights, count, to, window); break;
                case 2: Run<Dense2>(from, xRow, width, weight, weightRow, flights, count, to, sumsRow, window); break;
                case 3: Run<Dense3>(from, xRow, width, weight, weightRow, flights, count, to, sumsRow, window); break;
                default: Run<Dense4>(from, xRow, width, weight, weightRow, flights, count, to, sumsRow, window); break;
            }
        }
    }

    // a tile is in one place of each method: the JIT does not keep the sums of several in registers

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining), SkipLocalsInit]
    private static void Run<TRows>(T* x, nint xRow, int width, T* weight, nint weightRow, RowFlight* flights, int count, T* sums,
        nint sumsRow, T* window)
        where TRows : struct, IDenseNumber
    {
        T* memory = stackalloc T[Most * TLanes.Count], some = stackalloc T[Most * Units];
        for (var flight = flights; flight < flights + count; flight++)
        {
            var units = flight->Units;
            T* from = x + flight->From, w = weight + flight->Weight;
            var end = End<TRows>(*flight, from, xRow, width, window, memory, out var whole, out var last);
            // units that there are not are the last one again
            var most = units < Units ? (units - 1) * weightRow : nint.MaxValue;
            for (var unit = 0; unit < units; unit += Units)
            {
                // so that the last four are whole, some come once more
                var at = Math.Max(0, Math.Min(unit, units - Units));
                Tile<TRows>(from, xRow, whole, last, end, w + (at * weightRow), weightRow, most, units < Units ? some : sums + at,
                    units < Units ? Units : sumsRow);
            }
            if (units < Units)
                for (var row = 0; row < TRows.Value; row++)
                    for (var i = 0; i < units; i++) sums[(row * sumsRow) + i] = some[(row * Units) + i];
            sums += units;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining), SkipLocalsInit]
    private static void One(T* x, int width, T* weight, nint weightRow, RowFlight* flights, int count, T* sums, T* window)
    {
        var memory = stackalloc T[TLanes.Count];
        for (var flight = flights; flight < flights + count; flight++)
        {
            var units = flight->Units;
            if (units < 2 * Units) Run<Dense1>(x, 0, width, weight, weightRow, flight, 1, sums, 0, window);
            else if (typeof(TLanes) == typeof(Lanes512<T>) && flight->Inputs == Held * TLanes.Count && weightRow == Held * TLanes.Count)
                Whole(x + flight->From, weight + flight->Weight, units, sums);
            else
            {
                T* from = x + flight->From, w = weight + flight->Weight;
                var end = End<Dense1>(*flight, from, 0, width, window, memory, out var whole, out var last);
                for (var unit = 0; unit < units; unit += 2 * Units)
                {
                    var at = Math.Min(unit, units - (2 * Units));
                    Eight(from, whole, last, end, w + (at * weightRow), weightRow, sums + at);
                }
            }
            sums += units;
        }
    }

    // one row of eight vectors, which stay in registers: the weight comes in the order in which it lies, as the processor fetches best
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining), SkipLocalsInit]
    private static void Whole(T* x, T* weight, int units, T* sums)
    {
        TLanes v0 = TLanes.Load(x), v1 = TLanes.Load(x + TLanes.Count), v2 = TLanes.Load(x + (2 * TLanes.Count)),
            v3 = TLanes.Load(x + (3 * TLanes.Count)), v4 = TLanes.Load(x + (4 * TLanes.Count)), v5 = TLanes.Load(x + (5 * TLanes.Count)),
            v6 = TLanes.Load(x + (6 * TLanes.Count)), v7 = TLanes.Load(x + (7 * TLanes.Count));
        for (var unit = 0; unit < units; unit += 2 * Units)
        {
            var at = Math.Min(unit, units - (2 * Units));
            var w = weight + (at * (Held * TLanes.Count));
            TLanes s0 = TLanes.Zero, s1 = TLanes.Zero, s2 = TLanes.Zero, s3 = TLanes.Zero;
            TLanes s4 = TLanes.Zero, s5 = TLanes.Zero, s6 = TLanes.Zero, s7 = TLanes.Zero;
            Dot(ref s0, w);
            Dot(ref s1, w + (Held * TLanes.Count));
            Dot(ref s2, w + (2 * Held * TLanes.Count));
            Dot(ref s3, w + (3 * Held * TLanes.Count));
            Dot(ref s4, w + (4 * Held * TLanes.Count));
            Dot(ref s5, w + (5 * Held * TLanes.Count));
            Dot(ref s6, w + (6 * Held * TLanes.Count));
            Dot(ref s7, w + (7 * Held * TLanes.Count));
            RowSums<TLanes, T>.Store(s0, s1, s2, s3, s4, s5, s6, s7, sums + at, sums + at + Units);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        void Dot(ref TLanes sum, T* a)
        {
            TLanes.Accumulate(ref sum, v0, TLanes.Load(a));
            TLanes.Accumulate(ref sum, v1, TLanes.Load(a + TLanes.Count));
            TLanes.Accumulate(ref sum, v2, TLanes.Load(a + (2 * TLanes.Count)));
            TLanes.Accumulate(ref sum, v3, TLanes.Load(a + (3 * TLanes.Count)));
            TLanes.Accumulate(ref sum, v4, TLanes.Load(a + (4 * TLanes.Count)));
            TLanes.Accumulate(ref sum, v5, TLanes.Load(a + (5 * TLanes.Count)));
            TLanes.Accumulate(ref sum, v6, TLanes.Load(a + (6 * TLanes.Count)));
            TLanes.Accumulate(ref sum, v7, TLanes.Load(a + (7 * TLanes.Count)));
        }
    }

    // the vector at the end of what a flight sees, of each row; null if whole vectors are all
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T* End<TRows>(in RowFlight flight, T* from, nint xRow, int width, T* window, T* memory, out nint whole, out nint last)
        where TRows : struct, IDenseNumber
    {
        nint inputs = flight.Inputs;
        whole = inputs & -TLanes.Count;
        // it is within what there is: before it others have been counted, and behind it are some that are not seen
        last = Math.Min(whole, width - flight.From - TLanes.Count);
        if (whole == inputs) return null;
        TLanes counted = TLanes.Load(RowWindow<T>.From(window, whole - last)), seen = TLanes.Load(RowWindow<T>.To(window, inputs - last));
        for (var row = 0; row < TRows.Value; row++)
            TLanes.Store(LaneMath<TLanes, T>.Gate(LaneMath<TLanes, T>.Gate(TLanes.Load(from + (row * xRow) + last), counted), seen),
                memory + (row * TLanes.Count));
        return memory;
    }

    // one row: as many chains of additions as hide the latency of one
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Eight(T* x, nint stop, nint last, T* end, T* w, nint apart, T* sums)
    {
        TLanes s0 = TLanes.Zero, s1 = TLanes.Zero, s2 = TLanes.Zero, s3 = TLanes.Zero;
        TLanes s4 = TLanes.Zero, s5 = TLanes.Zero, s6 = TLanes.Zero, s7 = TLanes.Zero;
        var second = w + (4 * apart);
        nint w2 = 2 * apart, w3 = 3 * apart, step = 0;
        while (true)
        {
            for (; step < stop; step += TLanes.Count)
            {
                var v = TLanes.Load(x + step);
                T* a = w + step, b = second + step;
                TLanes.Accumulate(ref s0, v, TLanes.Load(a));
                TLanes.Accumulate(ref s1, v, TLanes.Load(a + apart));
                TLanes.Accumulate(ref s2, v, TLanes.Load(a + w2));
                TLanes.Accumulate(ref s3, v, TLanes.Load(a + w3));
                TLanes.Accumulate(ref s4, v, TLanes.Load(b));
                TLanes.Accumulate(ref s5, v, TLanes.Load(b + apart));
                TLanes.Accumulate(ref s6, v, TLanes.Load(b + w2));
                TLanes.Accumulate(ref s7, v, TLanes.Load(b + w3));
            }
            if (end == null) break;
            // once more, for the vector at the end
            x = end - last;
            (step, stop) = (last, last + 1);
            end = null;
        }
        RowSums<TLanes, T>.Store(s0, s1, s2, s3, s4, s5, s6, s7, sums, sums + Units);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Tile<TRows>(T* x, nint xRow, nint stop, nint last, T* end, T* w, nint apart, nint most, T* sums, nint sumsRow)
        where TRows : struct, IDenseNumber
    {
        TLanes s00 = TLanes.Zero, s01 = TLanes.Zero, s02 = TLanes.Zero, s03 = TLanes.Zero;
        TLanes s10 = TLanes.Zero, s11 = TLanes.Zero, s12 = TLanes.Zero, s13 = TLanes.Zero;
        TLanes s20 = TLanes.Zero, s21 = TLanes.Zero, s22 = TLanes.Zero, s23 = TLanes.Zero;
        TLanes s30 = TLanes.Zero, s31 = TLanes.Zero, s32 = TLanes.Zero, s33 = TLanes.Zero;
        nint w1 = Math.Min(apart, most), w2 = Math.Min(2 * apart, most), w3 = Math.Min(3 * apart, most);
        nint step = 0;
        while (true)
        {
            for (; step < stop; step += TLanes.Count)
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
            x = end - last;
            xRow = TLanes.Count;
            (step, stop) = (last, last + 1);
            end = null;
        }
        RowSums<TLanes, T>.Store(s00, s01, s02, s03, s10, s11, s12, s13, sums, TRows.Value > 1 ? sums + sumsRow : null);
        if (TRows.Value > 2)
            RowSums<TLanes, T>.Store(s20, s21, s22, s23, s30, s31, s32, s33, sums + (2 * sumsRow),
                TRows.Value > 3 ? sums + (3 * sumsRow) : null);
    }
}
