namespace RealNvp.Kernels;

/// <summary>z = (x − c)·exp(s) + b for some features, with numbers that are the same for every row: standardization, diagonal scaling,
/// ActNorm, batch normalization by running statistics. In float64, rounded once.</summary>
/// <param name="at">The features.</param>
internal abstract unsafe class ScaleStep(int[] at) : RowStep
{
    public sealed override long Scratch => 3 * RowScratch.Size<double>(at.Length);

    public sealed override void Run(in RowBlock block, bool inverse)
    {
        var count = at.Length;
        var scratch = new RowScratch(block.Scratch);
        double* centres = scratch.Take<double>(count), scales = scratch.Take<double>(count), shifts = scratch.Take<double>(count);
        var logDet = Fill(block, inverse, centres, scales, shifts);
        var x = block.X;
        for (var row = 0; row < block.Rows; row++, x += block.Features)
        {
            if (inverse)
                for (var i = 0; i < count; i++) x[at[i]] = block.Rounded(((x[at[i]] - shifts[i]) * scales[i]) + centres[i]);
            else
                for (var i = 0; i < count; i++) x[at[i]] = block.Rounded(((x[at[i]] - centres[i]) * scales[i]) + shifts[i]);
            block.LogDet[row] += inverse ? -logDet : logDet;
        }
    }

    /// <summary>Gives the numbers.</summary>
    /// <param name="block">The call.</param>
    /// <param name="inverse">The direction.</param>
    /// <param name="centres">Gets c.</param>
    /// <param name="scales">Gets exp(s), or exp(−s) for the inverse.</param>
    /// <param name="shifts">Gets b.</param>
    /// <returns>Σ s.</returns>
    protected abstract double Fill(in RowBlock block, bool inverse, double* centres, double* scales, double* shifts);
}

/// <summary>The step with numbers that do not change.</summary>
internal sealed unsafe class ScaleRows : ScaleStep
{
    private readonly double[] centres, scales, reciprocals, shifts;
    private readonly double logDet;

    /// <param name="at">The features.</param>
    /// <param name="centres">c.</param>
    /// <param name="logScales">s.</param>
    /// <param name="shifts">b.</param>
    public ScaleRows(int[] at, double[] centres, double[] logScales, double[] shifts) : base(at)
    {
        (this.centres, this.shifts) = (centres, shifts);
        (scales, reciprocals) = (Array.ConvertAll(logScales, Math.Exp), Array.ConvertAll(logScales, s => Math.Exp(-s)));
        logDet = logScales.Sum();
    }

    protected override double Fill(in RowBlock block, bool inverse, double* to, double* scale, double* shift)
    {
        centres.CopyTo(new Span<double>(to, centres.Length));
        (inverse ? reciprocals : scales).CopyTo(new Span<double>(scale, scales.Length));
        shifts.CopyTo(new Span<double>(shift, shifts.Length));
        return logDet;
    }
}
