using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>The innermost part of a product of rows that lie in lanes: eight units at a time, each number of the weight a factor for all
/// rows. A sum adds its steps one after the other, as a tile does, so its bits are those that the row has among many.</summary>
internal static unsafe class RowLanes<TLanes, T>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const int Units = 8;

    /// <summary>Computes units.</summary>
    /// <param name="rows">The rows, at most as many as lanes.</param>
    /// <param name="x">What the units see, the rows of each side by side.</param>
    /// <param name="inputs">How much of it.</param>
    /// <param name="weight">The numbers of a unit, side by side.</param>
    /// <param name="weightRow">From one unit to the next.</param>
    /// <param name="units">How many units.</param>
    /// <param name="finish">What becomes of the sums.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(int rows, T* x, int inputs, T* weight, nint weightRow, int units, RowFinish<T> finish)
    {
        for (var unit = 0; unit < units; unit += Units, weight += Units * weightRow)
        {
            TLanes s0 = TLanes.Zero, s1 = TLanes.Zero, s2 = TLanes.Zero, s3 = TLanes.Zero, s4 = TLanes.Zero, s5 = TLanes.Zero,
                s6 = TLanes.Zero, s7 = TLanes.Zero;
            // units that there are not are the last one again
            nint last = (units - unit - 1) * weightRow, w1 = Math.Min(weightRow, last), w2 = Math.Min(2 * weightRow, last),
                w3 = Math.Min(3 * weightRow, last), w4 = Math.Min(4 * weightRow, last), w5 = Math.Min(5 * weightRow, last),
                w6 = Math.Min(6 * weightRow, last), w7 = Math.Min(7 * weightRow, last);
            var from = x;
            for (T* w = weight, end = weight + inputs; w < end; w++, from += TLanes.Count)
            {
                var v = TLanes.Load(from);
                TLanes.Accumulate(ref s0, v, w);
                TLanes.Accumulate(ref s1, v, w + w1);
                TLanes.Accumulate(ref s2, v, w + w2);
                TLanes.Accumulate(ref s3, v, w + w3);
                TLanes.Accumulate(ref s4, v, w + w4);
                TLanes.Accumulate(ref s5, v, w + w5);
                TLanes.Accumulate(ref s6, v, w + w6);
                TLanes.Accumulate(ref s7, v, w + w7);
            }
            Finish(s0, rows, unit, finish);
            if (unit + 1 < units) Finish(s1, rows, unit + 1, finish);
            if (unit + 2 < units) Finish(s2, rows, unit + 2, finish);
            if (unit + 3 < units) Finish(s3, rows, unit + 3, finish);
            if (unit + 4 < units) Finish(s4, rows, unit + 4, finish);
            if (unit + 5 < units) Finish(s5, rows, unit + 5, finish);
            if (unit + 6 < units) Finish(s6, rows, unit + 6, finish);
            if (unit + 7 < units) Finish(s7, rows, unit + 7, finish);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(TLanes sum, int rows, nint unit, in RowFinish<T> finish)
    {
        if (finish.Bias != null) sum += TLanes.Create(finish.Bias[unit * finish.BiasStep]);
        if (!finish.Addend.IsNull) TLanes.Add(ref sum, finish.Addend.At + (unit * TLanes.Count));
        if (!finish.Relu.IsNull) TLanes.Store(LaneMath<TLanes, T>.Relu(sum), finish.Relu.At + (unit * TLanes.Count));
        if (finish.Result.IsNull) return;
        if (finish.Result.Unit == TLanes.Count && finish.Result.Row == 1) TLanes.Store(sum, finish.Result.At + (unit * TLanes.Count));
        else Scatter(sum, rows, unit, finish.Result);
    }

    private static void Scatter(TLanes sum, int rows, nint unit, RowUnits<T> to)
    {
        var lanes = stackalloc T[TLanes.Count];
        TLanes.Store(sum, lanes);
        for (var row = 0; row < rows; row++) to[unit, row] = lanes[row];
    }
}
