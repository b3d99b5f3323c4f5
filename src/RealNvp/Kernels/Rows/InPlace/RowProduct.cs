using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Few rows times Wᵀ for a weight as it lies: nothing is packed, and each number of it is read once.</summary>
internal static unsafe class RowProduct<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Units that are summed before they are finished.</summary>
    private const int Together = 64;

    /// <summary>Computes units.</summary>
    /// <param name="form">How rows lie, in all that is read and written but for <see cref="RowFinish{T}.Result"/>.</param>
    /// <param name="x">What the units see.</param>
    /// <param name="inputs">How much of it.</param>
    /// <param name="weight">W, the numbers of a unit side by side.</param>
    /// <param name="weightRow">From one unit's numbers to those of the next.</param>
    /// <param name="units">How many units.</param>
    /// <param name="finish">What becomes of the sums.</param>
    public static void Run(RowForm<T> form, RowUnits<T> x, int inputs, T* weight, nint weightRow, int units, in RowFinish<T> finish)
    {
        if (form.Lanes > 0) Lanes(form, x, inputs, weight, weightRow, units, finish);
        else Apart(form.Rows, x, inputs, weight, weightRow, units, finish);
    }

    private static void Lanes(RowForm<T> form, RowUnits<T> x, int inputs, T* weight, nint weightRow, int units, in RowFinish<T> finish)
    {
        switch (form.Lanes * sizeof(T))
        {
            case 64: RowLanes<Lanes512<T>, T>.Run(form.Rows, x.At, inputs, weight, weightRow, units, finish); break;
            case 32: RowLanes<Lanes256<T>, T>.Run(form.Rows, x.At, inputs, weight, weightRow, units, finish); break;
            default: RowLanes<Lanes128<T>, T>.Run(form.Rows, x.At, inputs, weight, weightRow, units, finish); break;
        }
    }

    private static void Apart(int rows, RowUnits<T> x, int inputs, T* weight, nint weightRow, int units, in RowFinish<T> finish)
    {
        var sums = stackalloc T[RowForm<T>.MostApart * Together];
        // the widest vectors that the inputs fill
        var bytes = Math.Min(LaneWidth.Bits / 8, inputs * sizeof(T));
        for (var unit = 0; unit < units; unit += Together)
        {
            var some = Math.Min(Together, units - unit);
            var from = weight + (unit * weightRow);
            if (bytes >= 64) RowDots<Lanes512<T>, T>.Run(rows, x.At, x.Row, inputs, from, weightRow, some, sums, Together);
            else if (bytes >= 32) RowDots<Lanes256<T>, T>.Run(rows, x.At, x.Row, inputs, from, weightRow, some, sums, Together);
            else if (bytes >= 16) RowDots<Lanes128<T>, T>.Run(rows, x.At, x.Row, inputs, from, weightRow, some, sums, Together);
            else RowDots<Lanes1<T>, T>.Run(rows, x.At, x.Row, inputs, from, weightRow, some, sums, Together);
            for (var row = 0; row < rows; row++) Finish(sums + (row * Together), row, unit, some, finish);
        }
    }

    private static void Finish(T* sums, int row, int first, int units, in RowFinish<T> finish)
    {
        var done = 0;
        var sideBySide = (finish.Bias == null || finish.BiasStep == 1) && IsSide(finish.Addend) && IsSide(finish.Result)
            && IsSide(finish.Relu);
        if (sideBySide && LaneWidth.Bits >= 256) done = Vectors<Lanes256<T>>(sums, row, first, units, finish);
        for (var i = done; i < units; i++)
        {
            nint unit = first + i;
            var sum = sums[i];
            if (finish.Bias != null) sum += finish.Bias[unit * finish.BiasStep];
            if (!finish.Addend.IsNull) sum += finish.Addend[unit, row];
            if (!finish.Result.IsNull) finish.Result[unit, row] = sum;
            // NaN stays
            if (!finish.Relu.IsNull) finish.Relu[unit, row] = sum < T.Zero ? T.Zero : sum;
        }
    }

    private static int Vectors<TLanes>(T* sums, int row, int first, int units, in RowFinish<T> finish)
        where TLanes : struct, ILanes<TLanes, T>
    {
        var i = 0;
        T* bias = finish.Bias == null ? null : finish.Bias + first, addend = Place(finish.Addend, row, first),
            result = Place(finish.Result, row, first), relu = Place(finish.Relu, row, first);
        for (; i + TLanes.Count <= units; i += TLanes.Count)
        {
            var sum = TLanes.Load(sums + i);
            if (bias != null) TLanes.Add(ref sum, bias + i);
            if (addend != null) TLanes.Add(ref sum, addend + i);
            if (result != null) TLanes.Store(sum, result + i);
            if (relu != null) TLanes.Store(LaneMath<TLanes, T>.Relu(sum), relu + i);
        }
        return i;
    }

    private static T* Place(RowUnits<T> units, int row, int first) => units.IsNull ? null : units.At + (row * units.Row) + first;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsSide(RowUnits<T> units) => units.IsNull || units.Unit == 1;
}
