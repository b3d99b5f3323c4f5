namespace RealNvp.Kernels;

/// <summary>Some numbers that a step needs: known once and for all, or read as they lie in each call.</summary>
internal abstract unsafe class RowNumbers(int count)
{
    public int Count => count;

    /// <summary>Writes them.</summary>
    public abstract void Read(in RowBlock block, double* to);
}

/// <summary>Numbers that do not change.</summary>
internal sealed unsafe class FixedNumbers(double[] values) : RowNumbers(values.Length)
{
    public override void Read(in RowBlock block, double* to) => values.CopyTo(new Span<double>(to, values.Length));
}
