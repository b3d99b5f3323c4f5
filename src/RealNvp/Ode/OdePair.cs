using RealNvp.Internal;
using RealNvp.Operations;
using static TorchSharp.torch;

namespace RealNvp.Ode;

/// <summary>
/// The reversible scheme of McCallum and Foster (arXiv 2410.11648, section 3) around a
/// method with increment Ψ: y' = λ y + (1 − λ) z + Ψ_h(t, z), z' = z − Ψ_{−h}(t + h, y').
/// </summary>
internal sealed class OdePair(OdeReplay replay, double coupling)
{
    /// <summary>(y', z') from (y, z).</summary>
    public (Tensor Y, Tensor Z) Step(Tensor y, Tensor z, Tensor time, Tensor step, IReadOnlyList<Tensor> given) =>
        Step(y, z, replay.Increment(z, time, step, given), time, step, given);

    /// <summary>The same with Ψ_h(t, z) at hand.</summary>
    public (Tensor Y, Tensor Z) Step(Tensor y, Tensor z, Tensor increment, Tensor time, Tensor step, IReadOnlyList<Tensor> given)
    {
        var next = y.mul(Scalars.Of(coupling)).add(z, Scalars.Of(1 - coupling)).add(increment, Scalars.One);
        return (next, z.sub(Back(next, time, step, given)));
    }

    /// <summary>(y, z) from (y', z').</summary>
    public (Tensor Y, Tensor Z) Undo(Tensor y, Tensor z, Tensor time, Tensor step, IReadOnlyList<Tensor> given)
    {
        var before = z.add(Back(y, time, step, given), Scalars.One);
        var other = y.sub(replay.Increment(before, time, step,
            given)).sub(before.mul(Scalars.Of(1 - coupling))).mul(Scalars.Of(1 / coupling));
        return (other, before);
    }

    private Tensor Back(Tensor y, Tensor time, Tensor step, IReadOnlyList<Tensor> given) =>
        replay.Increment(y, time.add(step, Scalars.One), step.neg(), given);
}

/// <summary>Computes steps of the reversible scheme: a state is y and z side by side.</summary>
internal sealed class OdePairStepper(OdeSystem system, OdePlan plan, Tensor like, TorchSharp.DisposeScope home)
    : OdeStepper(system, plan, like, home)
{
    private Tensor? norm, worst;

    public override bool CarriesSlope => false;

    public override (OdeRows Rows, Tensor Slope) FirstSlope(OdeRows rows, IReadOnlyList<Tensor> given) =>
        base.FirstSlope(rows with { State = rows.State.narrow(1, 0, rows.State.size(1) / 2).contiguous() }, given);

    public override OdeAttempt Try(OdeRows rows, IReadOnlyList<Tensor> given)
    {
        var replay = new OdeReplay(new Counting(this), Tableau);
        var m = rows.State.size(1) / 2;
        var (y, z) = (rows.State.narrow(1, 0, m), rows.State.narrow(1, m, m));
        var slopes = replay.Slopes(z, rows.Time, rows.Step, given);
        var increment = replay.Add(rows.Step, slopes);
        var (next, other) = new OdePair(replay, Plan.Options.ReversibleCoupling).Step(y, z, increment, rows.Time, rows.Step, given);
        if (Tableau.Error is { } error)
        {
            slopes.Add(Evaluate(OdeStepReference.At(rows, 1), z.add(increment, Scalars.One), given));
            var scale = Reference.Scale(maximum(y.abs(), next.abs()));
            (norm, worst) = Reference.Norm(OdeStepReference.Increment(rows.Step, slopes, error), scale);
        }
        return new(cat([next, other], 1), null, slopes);
    }

    public override Tensor? Take(OdeRows rows, OdeAttempt attempt, bool wantsTaken) =>
        Reference.Control(rows, attempt.Next, null, norm, worst);

    // f, and the count of its calls
    private sealed class Counting(OdePairStepper stepper) : OdeSystem
    {
        public override IReadOnlyList<Tensor>? Parameters => null;

        public override Tensor Evaluate(Tensor t, Tensor y, IReadOnlyList<Tensor> given) => stepper.Evaluate(t, y, given);
    }
}
