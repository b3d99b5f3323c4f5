namespace RealNvp.Kernels;

/// <summary>z = W x for some features, with W = P L U; the inverse goes back through the triangles, in float64.</summary>
internal sealed unsafe class LinearRows : RowStep
{
    private readonly int[] at;
    private readonly RowNetwork<float> forward;
    private readonly double[] triangles;
    private readonly int[] permutation;
    private readonly double logDet;

    /// <param name="at">The features, D.</param>
    /// <param name="forward">W, as a network of one layer.</param>
    /// <param name="triangles">(D, D): U and its diagonal, and below it L, whose diagonal is 1.</param>
    /// <param name="permutation">The row of L U that each row of W is.</param>
    /// <param name="logDet">log|det W|.</param>
    public LinearRows(int[] at, RowNetwork<float> forward, double[] triangles, int[] permutation, double logDet) =>
        (this.at, this.forward, this.triangles, this.permutation, this.logDet) = (at, forward, triangles, permutation, logDet);

    public override long Scratch => forward.Scratch + RowScratch.Size<double>(at.Length)
        + RowScratch.Size((long)RowBlock.Most * forward.InputStride) + RowScratch.Size((long)RowBlock.Most * forward.OutputStride);

    public override void Run(in RowBlock block, bool inverse)
    {
        var x = block.X;
        var scratch = new RowScratch(block.Scratch);
        if (inverse)
        {
            var solution = scratch.Take<double>(at.Length);
            for (var row = 0; row < block.Rows; row++, x += block.Features)
            {
                Solve(x, solution);
                block.LogDet[row] -= logDet;
            }
            return;
        }
        var input = scratch.Take((long)RowBlock.Most * forward.InputStride);
        var output = scratch.Take((long)RowBlock.Most * forward.OutputStride);
        RowColumns.Gather(block, at, input, forward.InputStride);
        forward.Run(input, block, scratch.Take(forward.Scratch), output);
        for (var row = 0; row < block.Rows; row++, x += block.Features, output += forward.OutputStride)
        {
            for (var i = 0; i < at.Length; i++) x[at[i]] = output[i];
            block.LogDet[row] += logDet;
        }
    }

    private void Solve(double* x, double* solution)
    {
        var count = at.Length;
        for (var i = 0; i < count; i++) solution[permutation[i]] = x[at[i]];
        for (var i = 0; i < count; i++)
            for (var j = 0; j < i; j++) solution[i] -= triangles[(i * count) + j] * solution[j];
        for (var i = count - 1; i >= 0; i--)
        {
            for (var j = i + 1; j < count; j++) solution[i] -= triangles[(i * count) + j] * solution[j];
            solution[i] /= triangles[(i * count) + i];
        }
        for (var i = 0; i < count; i++) x[at[i]] = (float)solution[i];
    }
}
