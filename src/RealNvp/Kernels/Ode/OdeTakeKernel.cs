using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>
/// Ends a step of rows with a time and a step of their own, in one pass: the error and what it
/// counts, whether the step is taken, the state and the slope after it, and the next step.
/// </summary>
internal unsafe struct OdeTakeKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>y (rows, width), which becomes the state after the step where it is taken.</summary>
    public T* State;

    /// <summary>The state after the step (rows, width).</summary>
    public T* Next;

    /// <summary>f at the beginning of the step, which becomes <see cref="EndSlope"/> where the step is taken.</summary>
    public T* Slope;

    /// <summary>f at the end; null if it is not known.</summary>
    public T* EndSlope;

    /// <summary>The slopes that have a weight in the error, their weights, and their number; 0 for steps of one size.</summary>
    public T** Slopes;
    public double* ErrorWeights;
    public int Count;

    /// <summary>What each component counts (width).</summary>
    public double* Weights;

    public double* Time, Step, Error;
    public long* Accepted, Rejected, Status, Worst;

    /// <summary>Gets which rows took the step; null if nobody asks.</summary>
    public byte* Taken;

    public long Width;
    public double End, Start, LeastStep, AbsoluteTolerance, RelativeTolerance, Proportional, Integral;
    public int ErrorOrder;
    public long MaxSteps, FixedSteps;
    public bool UsesMaximum;

    /// <summary>The same with the numbers that choose the steps.</summary>
    public readonly OdeTakeKernel<T> With(OdeControl control) => this with
    {
        End = control.End,
        Start = control.Start,
        LeastStep = control.LeastStep,
        AbsoluteTolerance = control.AbsoluteTolerance,
        RelativeTolerance = control.RelativeTolerance,
        Proportional = control.Proportional,
        Integral = control.Integral,
        ErrorOrder = control.ErrorOrder,
        MaxSteps = control.MaxSteps,
        FixedSteps = control.FixedSteps,
        UsesMaximum = control.UsesMaximum,
    };

    public readonly void Rows(long first, long end)
    {
        for (var row = first; row < end; row++)
        {
            var taken = Status[row] == OdeControl.Active && (Count > 0 ? Adaptive(row) : Fixed(row));
            if (Taken != null) Taken[row] = taken ? (byte)1 : (byte)0;
        }
    }

    private readonly bool Fixed(long row)
    {
        Move(row);
        Accepted[row]++;
        Time[row] = (Accepted[row] * (End - Start) / FixedSteps) + Start;
        var done = Accepted[row] >= FixedSteps;
        if (done)
        {
            Step[row] = 0;
            Status[row] = OdeControl.Done;
        }
        // NaN and infinities end the example at the step that made them
        for (var i = 0L; i < Width; i++)
        {
            if (T.IsFinite(State[(row * Width) + i])) continue;
            (Status[row], Worst[row]) = (OdeControl.NotFinite, i);
            break;
        }
        return true;
    }

    private readonly bool Adaptive(long row)
    {
        var (norm, worst) = Norm(row);
        var accepted = norm <= 1;
        var (h, before) = (Step[row], Math.Abs(Error[row]));
        Worst[row] = worst;
        double factor;
        if (accepted)
        {
            var last = h == End - Time[row];
            Move(row);
            Accepted[row]++;
            Time[row] = last ? End : Time[row] + h;
            if (last)
            {
                (Status[row], Step[row]) = (OdeControl.Done, 0);
                return true;
            }
            // a step behind a rejected one does not grow
            factor = Math.Clamp(OdeControl.Safety * Math.Pow(Math.Max(norm, 1e-10), -Proportional) * Math.Pow(before, Integral),
                OdeControl.Shrink, Error[row] < 0 ? 1 : OdeControl.Grow);
            Error[row] = Math.Max(norm, OdeControl.LeastError);
        }
        else
        {
            Rejected[row]++;
            factor = double.IsFinite(norm) ? Math.Clamp(OdeControl.Safety * Math.Pow(norm, -1.0 / ErrorOrder), OdeControl.Shrink, 1)
                : OdeControl.Shrink;
            Error[row] = -before;
        }
        Choose(row, Math.Abs(h) * factor, double.IsFinite(norm));
        return accepted;
    }

    private readonly void Choose(long row, double wanted, bool finite)
    {
        if (wanted < LeastStep) Status[row] = finite ? OdeControl.StepTooSmall : OdeControl.NotFinite;
        else if (Accepted[row] + Rejected[row] >= MaxSteps) Status[row] = OdeControl.TooManySteps;
        else
        {
            var remaining = End - Time[row];
            Step[row] = wanted * OdeControl.Stretch >= Math.Abs(remaining) ? remaining : End < Start ? -wanted : wanted;
        }
    }

    // what the error counts, and the component that counts most; NaN if it is not finite
    private readonly (double Norm, long Worst) Norm(long row)
    {
        var (h, at) = (Step[row], row * Width);
        var (total, most, worst) = (0.0, -1.0, 0L);
        for (var i = 0L; i < Width; i++)
        {
            var sum = T.Zero;
            for (var j = 0; j < Count; j++) sum = T.MultiplyAddEstimate(T.CreateTruncating(ErrorWeights[j]), Slopes[j][at + i], sum);
            var size = double.CreateTruncating(T.Max(T.Abs(State[at + i]), T.Abs(Next[at + i])));
            var error = h * double.CreateTruncating(sum) / (AbsoluteTolerance + (RelativeTolerance * size));
            var part = Weights[i] * error * error;
            if (!double.IsFinite(part)) return (double.NaN, i);
            if (part > most) (most, worst) = (part, i);
            total += part;
        }
        return (Math.Sqrt(UsesMaximum ? most : total), worst);
    }

    private readonly void Move(long row)
    {
        var (at, size) = (row * Width, Width * sizeof(T));
        Buffer.MemoryCopy(Next + at, State + at, size, size);
        if (EndSlope != null) Buffer.MemoryCopy(EndSlope + at, Slope + at, size, size);
    }
}
