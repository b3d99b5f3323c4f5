using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>Numbers of few rows, one a unit of a layer: the units of a row side by side, or the rows of a unit.</summary>
/// <param name="at">The first unit of the first row.</param>
/// <param name="unit">From one unit to the next.</param>
/// <param name="row">From one row to the next.</param>
internal readonly unsafe struct RowUnits<T>(T* at, nint unit, nint row) where T : unmanaged
{
    public T* At => at;

    public nint Unit => unit;

    public nint Row => row;

    public bool IsNull => at == null;

    /// <summary>The units from that one on.</summary>
    public RowUnits<T> From(nint first) => at == null ? this : new(at + (first * unit), unit, row);

    public ref T this[nint i, nint r] => ref at[(i * unit) + (r * row)];
}

/// <summary>What becomes of the sums of units; null if a part is not wanted.</summary>
internal unsafe struct RowFinish<T> where T : unmanaged
{
    /// <summary>Added to each row, and from one unit's number to the next.</summary>
    public T* Bias;

    public nint BiasStep;

    /// <summary>Added.</summary>
    public RowUnits<T> Addend;

    /// <summary>Gets the result; may be <see cref="Addend"/>.</summary>
    public RowUnits<T> Result;

    /// <summary>Gets relu of the result.</summary>
    public RowUnits<T> Relu;
}

/// <summary>How few rows lie in memory while a network computes them.</summary>
/// <remarks>
/// One to four rows are products of numbers that lie side by side, in a weight as in the input: a vector of a row of the weight, times one
/// of the input, and a sum over the lanes at the end. More rows lie in lanes, one a lane: each number of the weight is one factor for all.
/// Both read each number of a weight once, as it lies.
/// </remarks>
internal readonly struct RowForm<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>The most rows that lie one after the other.</summary>
    public const int MostApart = 4;

    private RowForm(int rows, int lanes) => (Rows, Lanes) = (rows, lanes);

    /// <summary>How many rows are computed together.</summary>
    public int Rows { get; }

    /// <summary>Numbers of a vector in whose lanes the rows lie; 0 if they lie one after the other.</summary>
    public int Lanes { get; }

    /// <summary>The most numbers that a unit takes in any form.</summary>
    public static int Most => Math.Max(MostApart, LaneWidth.Count<T>());

    /// <summary>The form for the first of so many rows.</summary>
    public static RowForm<T> Of(int rows)
    {
        if (rows <= MostApart) return new(rows, 0);
        // the narrowest vector that holds them all, and the widest if none does
        var lanes = LaneWidth.Count<T>();
        if (lanes <= MostApart) return new(MostApart, 0);
        if (lanes == 16 && rows <= 8) lanes = 8;
        return new(Math.Min(rows, lanes), lanes);
    }

    /// <summary>Units in memory for <see cref="Most"/> numbers each.</summary>
    public unsafe RowUnits<T> Place(T* at, int units) => Lanes == 0 ? new(at, 1, DenseProduct.Stride(units)) : new(at, Lanes, 1);

    /// <summary>The numbers of memory that so many units take in any form.</summary>
    public static long Size(int units) => (long)DenseProduct.Stride(units) * Most;

    /// <summary>Copies rows to where the form has them; lanes without a row get 0.</summary>
    public unsafe RowUnits<T> Bring(T* from, nint stride, int units, T* to)
    {
        if (Lanes == 0) return new(from, 1, stride);
        for (nint unit = 0; unit < units; unit++)
            for (nint row = 0; row < Lanes; row++) to[(unit * Lanes) + row] = row < Rows ? from[(row * stride) + unit] : T.Zero;
        return new(to, Lanes, 1);
    }
}
