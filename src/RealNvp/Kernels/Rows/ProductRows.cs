namespace RealNvp.Kernels;

/// <summary>Independent densities of parts of a row.</summary>
/// <param name="parts">The features of each part, and its density.</param>
internal sealed unsafe class ProductRows((int[] At, RowDensity Density)[] parts) : RowDensity
{
    public override long Scratch =>
        parts.Max(part => RowScratch.Size<double>((long)RowBlock.Most * part.At.Length) + part.Density.Scratch);

    public override void LogProb(in RowBlock block)
    {
        foreach (var (at, density) in parts)
        {
            var part = Part(block, at);
            RowColumns.Gather(block, at, part.X, at.Length);
            density.LogProb(part);
        }
    }

    public override void Sample(in RowBlock block, ref RowRandom random)
    {
        foreach (var (at, density) in parts)
        {
            var part = Part(block, at);
            density.Sample(part, ref random);
            for (var row = 0; row < block.Rows; row++)
                for (var i = 0; i < at.Length; i++) block.X[((nint)row * block.Features) + at[i]] = part.X[((nint)row * at.Length) + i];
        }
    }

    private static RowBlock Part(in RowBlock block, int[] at) => block with
    {
        X = (double*)block.Scratch, Features = at.Length,
        Scratch = block.Scratch + RowScratch.Size<double>((long)RowBlock.Most * at.Length),
    };
}
