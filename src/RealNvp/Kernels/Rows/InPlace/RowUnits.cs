namespace RealNvp.Kernels;

/// <summary>Numbers of few rows, one a unit of a layer.</summary>
/// <param name="at">The first unit of the first row.</param>
/// <param name="unit">From one unit to the next.</param>
/// <param name="row">From one row to the next.</param>
internal readonly unsafe struct RowUnits<T>(T* at, nint unit, nint row) where T : unmanaged
{
    public T* At => at;

    public nint Unit => unit;

    public nint Row => row;

    public bool IsNull => at == null;

    /// <summary>The most rows that are computed together.</summary>
    public const int MostRows = 16;

    /// <summary>The numbers of memory that so many units of <see cref="MostRows"/> rows take.</summary>
    public static long Size(int units) => (long)DenseProduct.Stride(units) * MostRows;

    /// <summary>Units side by side in memory for <see cref="Size"/> numbers.</summary>
    public static RowUnits<T> Place(T* at, int units) => new(at, 1, DenseProduct.Stride(units));

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
