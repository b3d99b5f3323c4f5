using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Few rows times Wᵀ for a weight as it lies: nothing is packed, and each number of it comes from memory once.</summary>
/// <remarks>A unit's numbers lie side by side, as those of a row do, so it is a dot product: a vector of the one times a vector of the
/// other, and a sum over the lanes at the end.</remarks>
internal static unsafe class RowProduct<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Units of several rows that are summed before they are finished, and the distance from the sums of one row to those of
    /// the next.</summary>
    public const int Together = 64;

    /// <summary>Computes units that all see the same.</summary>
    /// <param name="rows">The rows, at most <see cref="RowUnits{T}.MostRows"/>.</param>
    /// <param name="x">What the units see, side by side.</param>
    /// <param name="inputs">How much of it.</param>
    /// <param name="weight">W, the numbers of a unit side by side.</param>
    /// <param name="weightRow">From one unit's numbers to those of the next.</param>
    /// <param name="units">How many units.</param>
    /// <param name="finish">What becomes of the sums.</param>
    public static void Run(int rows, RowUnits<T> x, int inputs, T* weight, nint weightRow, int units, in RowFinish<T> finish) =>
        Run(rows, x, inputs, weight, weightRow, [new(0, 0, inputs, units)], finish);

    /// <summary>Computes units that see parts of what is before them, all at once.</summary>
    /// <param name="rows">The rows, at most <see cref="RowUnits{T}.MostRows"/>.</param>
    /// <param name="x">What units see, side by side.</param>
    /// <param name="width">How much there is of it, and of the numbers of a unit.</param>
    /// <param name="weight">W, the numbers of a unit side by side.</param>
    /// <param name="weightRow">From one unit's numbers to those of the next in a flight.</param>
    /// <param name="flights">The units, in the order of the results.</param>
    /// <param name="finish">What becomes of the sums.</param>
    [SkipLocalsInit]
    public static void Run(int rows, RowUnits<T> x, int width, T* weight, nint weightRow, ReadOnlySpan<RowFlight> flights,
        in RowFinish<T> finish)
    {
        var sums = stackalloc T[RowUnits<T>.MostRows * Together];
        // one row reads the weight once, so that as many as there is room for may go together
        var (done, most) = (0, rows == 1 ? RowUnits<T>.MostRows * Together : Together);
        fixed (RowFlight* all = flights)
            for (var at = 0; at < flights.Length;)
            {
                int units = 0, count = 0;
                for (; at + count < flights.Length && units + all[at + count].Units <= most; count++) units += all[at + count].Units;
                if (count > 0)
                {
                    Some(rows, x, width, weight, weightRow, all + at, count, sums, done, units, finish);
                    at += count;
                    done += units;
                    continue;
                }
                // a flight of more
                for (var unit = 0; unit < all[at].Units; unit += most)
                {
                    units = Math.Min(most, all[at].Units - unit);
                    var part = all[at] with { Weight = all[at].Weight + (unit * weightRow), Units = units };
                    Some(rows, x, width, weight, weightRow, &part, 1, sums, done, units, finish);
                    done += units;
                }
                at++;
            }
    }

    /// <summary>The numbers of a vector, the widest that there is room for in so many.</summary>
    public static int VectorOf(int width)
    {
        var bytes = Math.Min(LaneWidth.Bits / 8, width * sizeof(T));
        return (bytes >= 64 ? 64 : bytes >= 32 ? 32 : bytes >= 16 ? 16 : sizeof(T)) / sizeof(T);
    }

    /// <summary>The sums of at most <see cref="Together"/> units, of one row of any number, without an end: see
    /// <see cref="RowDots{TLanes, T}.Run"/>.</summary>
    public static void Sums(int rows, RowUnits<T> x, int width, T* weight, nint weightRow, RowFlight* flights, int count, T* sums)
    {
        switch (VectorOf(width) * sizeof(T))
        {
            case 64: RowDots<Lanes512<T>, T>.Run(rows, x.At, x.Row, width, weight, weightRow, flights, count, sums, Together); break;
            case 32: RowDots<Lanes256<T>, T>.Run(rows, x.At, x.Row, width, weight, weightRow, flights, count, sums, Together); break;
            case 16: RowDots<Lanes128<T>, T>.Run(rows, x.At, x.Row, width, weight, weightRow, flights, count, sums, Together); break;
            default: RowDots<Lanes1<T>, T>.Run(rows, x.At, x.Row, width, weight, weightRow, flights, count, sums, Together); break;
        }
    }

    // these numbers of the weight stay in the first cache, for all rows
    private static void Some(int rows, RowUnits<T> x, int width, T* weight, nint weightRow, RowFlight* flights, int count, T* sums,
        int first, int units, in RowFinish<T> finish)
    {
        if (units == 0) return;
        Sums(rows, x, width, weight, weightRow, flights, count, sums);
        for (var row = 0; row < rows; row++) Finish(sums + (row * Together), row, first, units, finish);
    }

    private static void Finish(T* sums, int row, int first, int units, in RowFinish<T> finish)
    {
        var done = 0;
        var sideBySide = (finish.Bias == null || finish.BiasStep == 1) && IsSide(finish.Addend) && IsSide(finish.Result)
            && IsSide(finish.Relu);
        if (sideBySide && LaneWidth.Bits >= 512) done = Vectors<Lanes512<T>>(sums, row, first, 0, units, finish);
        if (sideBySide && LaneWidth.Bits >= 256) done = Vectors<Lanes256<T>>(sums, row, first, done, units, finish);
        if (sideBySide) done = Vectors<Lanes128<T>>(sums, row, first, done, units, finish);
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

    private static int Vectors<TLanes>(T* sums, int row, int first, int i, int units, in RowFinish<T> finish)
        where TLanes : struct, ILanes<TLanes, T>
    {
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
