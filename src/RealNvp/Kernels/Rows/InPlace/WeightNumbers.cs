using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>Numbers that are read as they lie.</summary>
/// <param name="index">Their number among the weights of the plan.</param>
/// <param name="count">How many.</param>
internal sealed unsafe class WeightNumbers<T>(int index, int count) : RowNumbers(count) where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public override void Read(in RowBlock block, double* to)
    {
        var from = (T*)block.Weights[index];
        for (var i = 0; i < Count; i++) to[i] = double.CreateTruncating(from[i]);
    }
}

/// <summary>What the numbers of a scale are.</summary>
internal enum ScaleForm
{
    /// <summary>s itself.</summary>
    Log,

    /// <summary>−s.</summary>
    MinusLog,

    /// <summary>A variance v, s = −½ log(v + ε).</summary>
    Variance,
}

/// <summary>A scaling step whose numbers are read as they lie.</summary>
/// <param name="at">The features.</param>
/// <param name="form">What the numbers of the scale are.</param>
/// <param name="scale">They.</param>
internal sealed unsafe class WeightScaleRows(int[] at, ScaleForm form, RowNumbers scale) : ScaleStep(at)
{
    private readonly int count = at.Length;

    /// <summary>c; null for 0.</summary>
    public RowNumbers? Centre { get; init; }

    /// <summary>What is added to c for data of float64; null for nothing.</summary>
    public RowNumbers? Rest { get; init; }

    /// <summary>b; null for 0.</summary>
    public RowNumbers? Shift { get; init; }

    /// <summary>ε of a variance.</summary>
    public double Epsilon { get; init; }

    protected override double Fill(in RowBlock block, bool inverse, double* centres, double* scales, double* shifts)
    {
        Read(Rest is not null && block.Wide ? Rest : null, block, shifts);
        Read(Centre, block, centres);
        for (var i = 0; i < count; i++) centres[i] += shifts[i];
        Read(Shift, block, shifts);
        scale.Read(block, scales);
        double logDet = 0;
        for (var i = 0; i < count; i++)
        {
            var s = form switch { ScaleForm.Log => scales[i], ScaleForm.MinusLog => -scales[i], _ => -0.5 * Math.Log(scales[i] + Epsilon) };
            logDet += s;
            scales[i] = Math.Exp(inverse ? -s : s);
        }
        return logDet;
    }

    private void Read(RowNumbers? numbers, in RowBlock block, double* to)
    {
        if (numbers is null) new Span<double>(to, count).Clear();
        else numbers.Read(block, to);
    }
}

/// <summary>Student's t, whose logarithms of degrees of freedom are read as they lie.</summary>
/// <param name="logDegrees">log ν of each feature.</param>
/// <param name="logGamma">log Γ, which .NET does not have.</param>
internal sealed unsafe class WeightStudentRows(RowNumbers logDegrees, Func<double, double> logGamma) : RowDensity
{
    public override long Scratch => RowScratch.Size<double>(logDegrees.Count);

    public override void LogProb(in RowBlock block)
    {
        var degrees = new RowScratch(block.Scratch).Take<double>(logDegrees.Count);
        logDegrees.Read(block, degrees);
        for (var i = 0; i < logDegrees.Count; i++)
        {
            var nu = StudentRows.Degrees(degrees[i]);
            var constant = StudentRows.Constant(nu, logGamma);
            for (var row = 0; row < block.Rows; row++)
            {
                // log(1 + z²/ν), for z whose square is no number too
                var u = Math.Abs(block.X[((nint)row * block.Features) + i]) / Math.Sqrt(nu);
                var tail = u <= 1 ? Math.Log(1 + (u * u)) : (2 * Math.Log(u)) + Math.Log(1 + (1 / u / u));
                block.LogDet[row] += constant - (0.5 * (nu + 1) * tail);
            }
        }
    }

    public override void Sample(in RowBlock block, ref RowRandom random) => throw new NotSupportedException();
}
