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
        if (!control.IsAdaptive)
        {
            Fill(rows.Step, plan.FixedStep);
            return;
        }
        if (plan.Options.FirstStep is { } given0)
        {
            Fill(rows.Step, control.Sign * Math.Min(given0, Math.Abs(control.End - control.Start)));
            return;
        }
        var (trial, time) = operation.Trial(rows, slope);
        operation.FirstStep(rows, slope, trial, Evaluate(time, trial, given));
    }

    private static void Fill(Tensor tensor, double value)
    {
        using var scalar = Scalars.New(value);
        tensor.fill_(scalar);
    }
}
