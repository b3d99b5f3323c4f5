using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Ode;

/// <summary>Computes steps of a Runge–Kutta method. Belongs to the dispose scope of its solve.</summary>
internal class OdeStepper(OdeSystem system, OdePlan plan, Tensor like, DisposeScope home)
{
    private readonly OdeStep operation = new(plan.Control, like, home);

    protected OdePlan Plan => plan;

    protected OdeStepReference Reference => operation.Reference;

    protected OdeTableau Tableau => plan.Tableau;

    /// <summary>How often f was called.</summary>
    public long Evaluations { get; private set; }

    /// <summary>Whether <see cref="OdeRows.Slope"/> holds f at the beginning of a step.</summary>
    public virtual bool CarriesSlope => plan.CarriesSlope;

    public Tensor Evaluate(Tensor t, Tensor y, IReadOnlyList<Tensor> given)
    {
        Evaluations++;
        var slope = system.Evaluate(t, y, given);
        return slope.is_contiguous() ? slope : slope.contiguous();
    }

    /// <summary>The rows with the part of the state that f is of, and f at the beginning of a solve.</summary>
    public virtual (OdeRows Rows, Tensor Slope) FirstSlope(OdeRows rows, IReadOnlyList<Tensor> given) =>
        (rows, Evaluate(rows.Time.to(rows.State.dtype), rows.State, given));

    /// <summary>Computes a step of each example from where it is.</summary>
    public virtual OdeAttempt Try(OdeRows rows, IReadOnlyList<Tensor> given)
    {
        var slopes = new List<Tensor>(Tableau.Count + 1) { CarriesSlope ? rows.Slope
            : Evaluate(OdeStepReference.At(rows, 0), rows.State, given) };
        Tensor? next = null, time;
        for (var i = 1; i < Tableau.Count; i++)
        {
            (next, time) = operation.Point(i, rows, slopes, Tableau.Stages[i], Tableau.Nodes[i]);
            slopes.Add(Evaluate(time, next, given));
        }
        if (Tableau.EndsAtNext) return new(next!, slopes[^1], slopes);
        (next, time) = operation.Point(Tableau.Count, rows, slopes, Tableau.Weights, 1);
        if (!CarriesSlope) return new(next, null, slopes);
        slopes.Add(Evaluate(time, next, given));
        return new(next, slopes[^1], slopes);
    }

    /// <summary>Takes the step or not, and chooses the next.</summary>
    /// <returns>Which examples took it (n), Bool; null if nobody asks.</returns>
    public virtual Tensor? Take(OdeRows rows, OdeAttempt attempt, bool wantsTaken) =>
        operation.Take(rows, attempt.Next, attempt.EndSlope, attempt.Slopes, Tableau.Error, wantsTaken);

    /// <summary>Hairer's choice of the first step (Solving Ordinary Differential
    /// Equations I, section II.4), and whether an example can begin at all.</summary>
    public void Begin(OdeRows rows, Tensor slope, IReadOnlyList<Tensor> given)
    {
        var control = plan.Control;
        var (range, sign) = (Math.Abs(control.End - control.Start), control.End < control.Start ? -1 : 1);
        if (!control.IsAdaptive)
        {
            Fill(rows.Step, plan.FixedStep);
            return;
        }
        if (plan.Options.FirstStep is { } given0)
        {
            Fill(rows.Step, sign * Math.Min(given0, range));
            return;
        }
        var scale = operation.Reference.Scale(rows.State.abs());
        var ((size, worstState), (speed, worstSlope)) = (operation.Reference.Norm(rows.State, scale),
            operation.Reference.Norm(slope, scale));
        var little = Scalars.Of(1e-5);
        using var most = Scalars.New(range);
        var first = where(size.lt(little).logical_or(speed.lt(little)), full_like(size, Scalars.Of(1e-6)),
            size.div(speed).mul(Scalars.Of(0.01)))
            .nan_to_num(1e-6).clamp_max(most);
        rows.Step.copy_(first.mul(Scalars.Of(sign)));
        var trial = OdeStepReference.Combine(rows.State, rows.Step, [slope], [1]);
        var bend = operation.Reference.Norm(Evaluate(OdeStepReference.At(rows, 1), trial, given).sub(slope), scale).Norm.div(first);
        var sharp = maximum(speed, bend);
        var second = where(sharp.le(Scalars.Of(1e-15)), first.mul(Scalars.Of(1e-3)).clamp_min(Scalars.Of(1e-6)),
            sharp.reciprocal().mul(Scalars.Of(0.01)).pow(Scalars.Of(1.0 / control.ErrorOrder)));
        // where the trial is not finite, the steps begin small
        var chosen = minimum(first.mul(Scalars.Of(100)), second.nan_to_num(0)).clamp_max(most);
        chosen = where(chosen.gt(Scalars.Zero), chosen, first.mul(Scalars.Of(1e-3)));
        rows.Step.copy_(chosen.mul(Scalars.Of(sign)));
        var broken = size.isfinite().logical_and(speed.isfinite()).logical_not();
        rows.Status.copy_(broken.to(int64).mul(Scalars.Integer(Kernels.OdeControl.NotFinite)));
        rows.Worst.copy_(where(size.isfinite(), worstSlope, worstState));
    }

    private static void Fill(Tensor tensor, double value)
    {
        using var scalar = Scalars.New(value);
        tensor.fill_(scalar);
    }
}
