using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>Hairer's choice of the first step (Solving Ordinary Differential Equations I, section
/// II.4), row by row, and whether a row can begin at all.</summary>
internal unsafe struct OdeStartKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>y, f and the point of the trial (rows, width); f there.</summary>
    public T* State, Slope, Trial, TrialSlope;

    /// <summary>The time of the trial.</summary>
    public T* TrialTime;

    public double* Step;
    public long* Status, Worst;

    /// <summary>What each component counts (width).</summary>
    public double* Weights;

    public int Width;
    public OdeControl Control;

    /// <summary>The trial of a row: its point and its time.</summary>
    public readonly void First(int row)
    {
        var h = Step[row] = Control.Sign * Little(row, out _);
        TrialTime[row] = T.CreateTruncating(Control.Start + h);
        for (var i = row * Width; i < (row + 1) * Width; i++)
            Trial[i] = T.MultiplyAddEstimate(T.CreateTruncating(h), Slope[i], State[i]);
    }

    /// <summary>The first step of a row, from f at its trial.</summary>
    public readonly void Second(int row)
    {
        var first = Little(row, out var speed);
        var (size, worstState) = Norm(row, State, null);
        var (slope, worstSlope) = Norm(row, Slope, null);
        var bend = Norm(row, TrialSlope, Slope).Norm / first;
        // NaN stays
        var sharp = double.IsNaN(bend) ? bend : Math.Max(speed, bend);
        var second = sharp <= 1e-15 ? Math.Max(first * 1e-3, 1e-6) : Math.Pow(0.01 / sharp, 1.0 / Control.ErrorOrder);
        // where the trial is not finite, the steps begin small
        var chosen = Math.Min(Math.Min(first * 100, double.IsNaN(second) ? 0 : second), Range);
        if (!(chosen > 0)) chosen = first * 1e-3;
        Step[row] = chosen * Control.Sign;
        if (double.IsFinite(size) && double.IsFinite(slope)) return;
        (Status[row], Worst[row]) = (OdeControl.NotFinite, double.IsFinite(size) ? worstSlope : worstState);
    }

    private readonly double Range => Math.Abs(Control.End - Control.Start);

    private readonly double Little(int row, out double speed)
    {
        var size = Norm(row, State, null).Norm;
        speed = Norm(row, Slope, null).Norm;
        var first = size < 1e-5 || speed < 1e-5 ? 1e-6 : 0.01 * size / speed;
        return Math.Min(double.IsNaN(first) ? 1e-6 : first, Range);
    }

    // of one, or of its difference from another, measured by the tolerances at the state
    private readonly (double Norm, long Worst) Norm(int row, T* values, T* minus)
    {
        var (total, most, worst) = (0.0, -1.0, 0L);
        for (var i = 0; i < Width; i++)
        {
            var at = (row * Width) + i;
            var value = double.CreateTruncating(minus == null ? values[at] : values[at] - minus[at]);
            var scale = Control.AbsoluteTolerance + (Control.RelativeTolerance * double.CreateTruncating(T.Abs(State[at])));
            var part = Weights[i] * (value / scale) * (value / scale);
            if (!double.IsFinite(part)) return (double.NaN, i);
            if (part > most) (most, worst) = (part, i);
            total += part;
        }
        return (Math.Sqrt(Control.UsesMaximum ? most : total), worst);
    }
}
