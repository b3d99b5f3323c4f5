using System.Numerics;
using System.Runtime.InteropServices;

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

/// <summary>A function of numbers that seldom change. Each call compares them with those of the call before, bit by bit, so that a result
/// is always that of the numbers themselves.</summary>
/// <param name="function">The function of a number.</param>
internal sealed unsafe class KeptFunction(Func<double, double> function)
{
    // numbers, and behind them the results; replaced as a whole, so that threads need no lock
    private double[]? kept;

    /// <summary>Replaces numbers by their results.</summary>
    public void Apply(double* numbers, int count)
    {
        var given = new Span<double>(numbers, count);
        if (kept is not { } known || known.Length != 2 * count
            || !MemoryMarshal.Cast<double, long>(given).SequenceEqual(MemoryMarshal.Cast<double, long>(known.AsSpan(0, count))))
        {
            known = new double[2 * count];
            given.CopyTo(known);
            for (var i = 0; i < count; i++) known[count + i] = function(given[i]);
            kept = known;
        }
        known.AsSpan(count).CopyTo(given);
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
    private readonly KeptFunction forward = new(Math.Exp), back = new(Math.Exp);

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
            scales[i] = inverse ? -s : s;
        }
        (inverse ? back : forward).Apply(scales, count);
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
    private readonly KeptFunction degrees = new(StudentRows.Degrees),
        constants = new(log => StudentRows.Constant(StudentRows.Degrees(log), logGamma));

    public override long Scratch => 2 * RowScratch.Size<double>(logDegrees.Count);

    public override void LogProb(in RowBlock block)
    {
        var count = logDegrees.Count;
        var memory = new RowScratch(block.Scratch);
        double* nus = memory.Take<double>(count), logs = memory.Take<double>(count);
        logDegrees.Read(block, nus);
        new ReadOnlySpan<double>(nus, count).CopyTo(new Span<double>(logs, count));
        degrees.Apply(nus, count);
        constants.Apply(logs, count);
        for (var i = 0; i < count; i++)
        {
            double nu = nus[i], root = Math.Sqrt(nu);
            for (var row = 0; row < block.Rows; row++)
            {
                var tail = LogOnePlusSquare(block.X[((nint)row * block.Features) + i] / root);
                block.LogDet[row] += logs[i] - (0.5 * (nu + 1) * tail);
            }
        }
    }

    public override void Sample(in RowBlock block, ref RowRandom random) => throw new NotSupportedException();
}
