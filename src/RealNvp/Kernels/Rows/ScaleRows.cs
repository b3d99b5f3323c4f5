namespace RealNvp.Kernels;

/// <summary>z = (x − c)·exp(s) + b for some features, with numbers that are the same for every row: standardization, diagonal scaling,
/// ActNorm, batch normalization by running statistics. In float64, rounded once.</summary>
internal sealed unsafe class ScaleRows : RowStep
{
    private readonly int[] at;
    private readonly double[] centres, scales, reciprocals, shifts;
    private readonly double logDet;

    /// <param name="at">The features.</param>
    /// <param name="centres">c.</param>
    /// <param name="logScales">s.</param>
    /// <param name="shifts">b.</param>
    public ScaleRows(int[] at, double[] centres, double[] logScales, double[] shifts)
    {
        (this.at, this.centres, this.shifts) = (at, centres, shifts);
        (scales, reciprocals) = (Array.ConvertAll(logScales, Math.Exp), Array.ConvertAll(logScales, s => Math.Exp(-s)));
        logDet = logScales.Sum();
    }

    public override void Run(in RowBlock block, bool inverse)
    {
        var x = block.X;
        for (var row = 0; row < block.Rows; row++, x += block.Features)
        {
            if (inverse)
                for (var i = 0; i < at.Length; i++) x[at[i]] = (float)(((x[at[i]] - shifts[i]) * reciprocals[i]) + centres[i]);
            else
                for (var i = 0; i < at.Length; i++) x[at[i]] = (float)(((x[at[i]] - centres[i]) * scales[i]) + shifts[i]);
            block.LogDet[row] += inverse ? -logDet : logDet;
        }
    }
}
