using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The parts of a Runge–Kutta step in plain tensor operations, for any device; nothing here waits for the device.</summary>
/// <remarks>Its constants belong to the dispose scope in which it was made.</remarks>
internal sealed class OdeStepReference
{
    private readonly OdeControl control;
    private readonly Tensor weights, end, start, range, leastStep, sign, zero, one, grow;
    private readonly Tensor[] statuses;

    /// <summary>What it holds.</summary>
    public IEnumerable<Tensor> Constants => [weights, end, start, range, leastStep, sign, zero, one, grow, .. statuses];

    public OdeStepReference(OdeControl control, Device device)
    {
        this.control = control;
        Tensor Number(double value)
        {
            using var scalar = Scalars.New(value);
            return full([], scalar, float64, device);
        }
        using var host = tensor(control.Weights, dtype: float64, device: CPU);
        weights = device.type == DeviceType.CPU ? host.clone() : host.to(device);
        (end, start, range, leastStep) = (Number(control.End), Number(control.Start), Number(control.End - control.Start),
            Number(control.LeastStep));
        (sign, zero, one, grow) = (Number(control.End < control.Start ? -1 : 1), Number(0), Number(1), Number(OdeControl.Grow));
        statuses = [.. Enumerable.Range(0, 5).Select(s => full([], Scalars.Integer(s), int64, device))];
    }

    /// <summary>y + h Σ aⱼ kⱼ, (n, M).</summary>
    public static Tensor Combine(Tensor state, Tensor step, IReadOnlyList<Tensor> slopes, ReadOnlySpan<double> weights)
    {
        var sum = Sum(slopes, weights);
        return sum is null ? state.clone() : state.add(sum.mul(step.to(state.dtype).unsqueeze(1)), Scalars.One);
    }

    /// <summary>h Σ bⱼ kⱼ, (n, M).</summary>
    public static Tensor Increment(Tensor step, IReadOnlyList<Tensor> slopes, ReadOnlySpan<double> weights) =>
        Sum(slopes, weights)!.mul(step.to(slopes[0].dtype).unsqueeze(1));

    /// <summary>t + c h (n) in the dtype of the state.</summary>
    public static Tensor At(OdeRows rows, double node) => rows.Time.add(rows.Step, Scalars.Of(node)).to(rows.State.dtype);

    /// <summary>What the error of a step counts (n) in float64, NaN if it is not finite, and the worst component (n) of int64.</summary>
    public (Tensor Norm, Tensor Worst) Error(OdeRows rows, Tensor next, IReadOnlyList<Tensor> slopes, ReadOnlySpan<double> errorWeights)
    {
        var error = Sum(slopes, errorWeights)!.mul(rows.Step.to(rows.State.dtype).unsqueeze(1));
        return Norm(error, Scale(maximum(rows.State.abs(), next.abs())));
    }

    /// <summary>What an error is measured by: the absolute tolerance and the relative one of |y|.</summary>
    public Tensor Scale(Tensor size) =>
        size.mul(Scalars.Of(control.RelativeTolerance)).add(Scalars.Of(control.AbsoluteTolerance), Scalars.One);

    /// <summary>√(Σ wᵢ (eᵢ/sᵢ)²) or the root of the largest, (n) in float64, and the component that counts most.</summary>
    public (Tensor Norm, Tensor Worst) Norm(Tensor error, Tensor scale)
    {
        var parts = error.to(float64).div(scale.to(float64)).pow(Scalars.Two).mul(weights);
        var norm = (control.UsesMaximum ? parts.amax([1]) : parts.sum(1)).sqrt();
        return (norm, parts.nan_to_num(double.PositiveInfinity).argmax(1));
    }

    /// <summary>The point (n, M) and the time (n) of a trial, from which <see cref="FirstStep"/> chooses: a very small step from f
    /// (n, M) at the beginning.</summary>
    public (Tensor Point, Tensor Time) Trial(OdeRows rows, Tensor slope)
    {
        rows.Step.copy_(Little(rows, slope).Step.mul(Scalars.Of(control.Sign)));
        return (Combine(rows.State, rows.Step, [slope], [1]), At(rows, 1));
    }

    /// <summary>Hairer's choice of the first step (Solving Ordinary Differential Equations I, section II.4) from f at the beginning and
    /// at the trial, and whether an example can begin at all: changes the rows in place.</summary>
    public void FirstStep(OdeRows rows, Tensor slope, Tensor trialSlope)
    {
        var (first, scale, (size, worstState), (speed, worstSlope)) = Little(rows, slope);
        var bend = Norm(trialSlope.sub(slope), scale).Norm.div(first);
        var sharp = maximum(speed, bend);
        var second = where(sharp.le(Scalars.Of(1e-15)), first.mul(Scalars.Of(1e-3)).clamp_min(Scalars.Of(1e-6)),
            sharp.reciprocal().mul(Scalars.Of(0.01)).pow(Scalars.Of(1.0 / control.ErrorOrder)));
        // where the trial is not finite, the steps begin small
        var chosen = minimum(minimum(first.mul(Scalars.Of(100)), second.nan_to_num(0)), range.abs());
        chosen = where(chosen.gt(Scalars.Zero), chosen, first.mul(Scalars.Of(1e-3)));
        rows.Step.copy_(chosen.mul(Scalars.Of(control.Sign)));
        var broken = size.isfinite().logical_and(speed.isfinite()).logical_not();
        rows.Status.copy_(broken.to(int64).mul(Scalars.Integer(OdeControl.NotFinite)));
        rows.Worst.copy_(where(size.isfinite(), worstSlope, worstState));
    }

    private (Tensor Step, Tensor Scale, (Tensor Norm, Tensor Worst) Size, (Tensor Norm, Tensor Worst) Speed) Little(OdeRows rows,
        Tensor slope)
    {
        var scale = Scale(rows.State.abs());
        var (size, speed) = (Norm(rows.State, scale), Norm(slope, scale));
        var little = Scalars.Of(1e-5);
        var first = where(size.Norm.lt(little).logical_or(speed.Norm.lt(little)), full_like(size.Norm, Scalars.Of(1e-6)),
            size.Norm.div(speed.Norm).mul(Scalars.Of(0.01))).nan_to_num(1e-6);
        return (minimum(first, range.abs()), scale, size, speed);
    }

    /// <summary>Takes or rejects the step, and chooses the next: changes
    /// the rows in place. Gives which examples took it (n), Bool.</summary>
    /// <param name="rows">The examples.</param>
    /// <param name="next">Their state after the step (n, M).</param>
    /// <param name="slope">f there; null if it is not known.</param>
    /// <param name="norm">The error; null for steps of one size, which are all taken.</param>
    /// <param name="worst">The component with the largest error.</param>
    public Tensor Control(OdeRows rows, Tensor next, Tensor? slope, Tensor? norm, Tensor? worst)
    {
        var active = rows.Status.eq(Scalars.IntegerZero);
        var accepted = norm is null ? active : norm.le(Scalars.One).logical_and(active);
        var taken = accepted.unsqueeze(1);
        var last = rows.Step.eq(end.sub(rows.Time));
        rows.State.copy_(where(taken, next, rows.State));
        if (slope is not null) rows.Slope.copy_(where(taken, slope, rows.Slope));
        rows.Accepted.add_(accepted.to(int64), Scalars.IntegerOne);
        if (norm is null) Fixed(rows);
        else Adaptive(rows, norm, worst!, active, accepted, last);
        return accepted;
    }

    private void Fixed(OdeRows rows)
    {
        rows.Time.copy_(rows.Accepted.to(float64).mul(range).div(Scalars.Of(control.FixedSteps)).add(start, Scalars.One));
        // NaN and infinities end the example at the step that made them
        var broken = rows.State.isfinite().logical_not();
        var done = rows.Accepted.ge(Scalars.Integer(control.FixedSteps));
        rows.Worst.copy_(broken.to(int64).argmax(1));
        rows.Status.copy_(where(broken.any(1), statuses[OdeControl.NotFinite], where(done, statuses[OdeControl.Done], rows.Status)));
        rows.Step.copy_(where(done, zero, rows.Step));
    }

    private void Adaptive(OdeRows rows, Tensor norm, Tensor worst, Tensor active, Tensor accepted, Tensor last)
    {
        var finished = accepted.logical_and(last);
        var goes = active.logical_and(finished.logical_not());
        var rejected = active.logical_and(accepted.logical_not());
        var finite = norm.nan_to_num(double.MaxValue, double.MaxValue);
        var before = rows.Error.abs();
        var best = finite.clamp_min(Scalars.Of(1e-10)).pow(Scalars.Of(-control.Proportional)).mul(
            before.pow(Scalars.Of(control.Integral))).mul(Scalars.Of(OdeControl.Safety));
        // a step behind a rejected one does not grow
        var grown = minimum(best.clamp_min(Scalars.Of(OdeControl.Shrink)), where(rows.Error.lt(Scalars.Zero), one, grow));
        var shrunk = finite.pow(Scalars.Of(-1.0 / control.ErrorOrder)).mul(Scalars.Of(OdeControl.Safety)).clamp(
            Scalars.Of(OdeControl.Shrink), Scalars.One);
        rows.Time.copy_(where(finished, end, where(accepted, rows.Time.add(rows.Step, Scalars.One), rows.Time)));
        rows.Error.copy_(where(accepted, finite.clamp_min(Scalars.Of(OdeControl.LeastError)), where(rejected, before.neg(), rows.Error)));
        rows.Rejected.add_(rejected.to(int64), Scalars.IntegerOne);
        rows.Worst.copy_(where(active, worst, rows.Worst));
        var wanted = rows.Step.abs().mul(where(accepted, grown, shrunk));
        var small = wanted.lt(leastStep).logical_and(goes);
        var many = rows.Accepted.add(rows.Rejected, Scalars.IntegerOne).ge(Scalars.Integer(control.MaxSteps)).logical_and(goes);
        var status = where(many, statuses[OdeControl.TooManySteps], where(finished, statuses[OdeControl.Done], rows.Status));
        var failure = where(norm.isfinite(), statuses[OdeControl.StepTooSmall], statuses[OdeControl.NotFinite]);
        rows.Status.copy_(where(small, failure, status));
        var remaining = end.sub(rows.Time);
        var next = where(wanted.mul(Scalars.Of(OdeControl.Stretch)).ge(remaining.abs()), remaining, wanted.mul(sign));
        // an example that failed keeps the step that it tried, for the error
        rows.Step.copy_(where(finished, zero, where(rows.Status.eq(Scalars.IntegerZero), next, rows.Step)));
    }

    /// <summary>Σ aⱼ kⱼ; null if all weights are 0.</summary>
    private static Tensor? Sum(IReadOnlyList<Tensor> slopes, ReadOnlySpan<double> weights)
    {
        Tensor? sum = null;
        for (var j = 0; j < weights.Length; j++)
        {
            if (weights[j] == 0) continue;
            sum = sum is null ? slopes[j].mul(Scalars.Of(weights[j])) : sum.add(slopes[j], Scalars.Of(weights[j]));
        }
        return sum;
    }
}
