namespace RealNvp.Kernels;

/// <summary>A step the other way round.</summary>
/// <param name="step">The step.</param>
internal sealed class TurnedRows(RowStep step) : RowStep
{
    public override long Scratch => step.Scratch;

    public override void Run(in RowBlock block, bool inverse) => step.Run(block, !inverse);
}

/// <summary>A step by a function of numbers.</summary>
/// <param name="at">The features that it maps.</param>
/// <param name="map">Maps a row in its place, and gives the log-determinant.</param>
internal sealed unsafe class FunctionRows(int[] at, FunctionRows.Map map) : RowStep
{
    /// <summary>Maps a row with its context.</summary>
    public delegate double Map(Span<double> row, ReadOnlySpan<double> context, bool inverse);

    public override long Scratch => RowScratch.Size<double>(at.Length);

    public override void Run(in RowBlock block, bool inverse)
    {
        var x = block.X;
        var row = new Span<double>(new RowScratch(block.Scratch).Take<double>(at.Length), at.Length);
        for (var r = 0; r < block.Rows; r++, x += block.Features)
        {
            for (var i = 0; i < at.Length; i++) row[i] = x[at[i]];
            var context = block.Context == null ? default
                : new ReadOnlySpan<double>(block.Context + (r * block.ContextStride), (int)block.ContextStride);
            block.LogDet[r] += map(row, context, inverse);
            for (var i = 0; i < at.Length; i++) x[at[i]] = block.Rounded(row[i]);
        }
    }
}
