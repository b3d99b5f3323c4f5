using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Ode;

/// <summary>A solve in the graph whose gradient is the continuous adjoint: nothing of the steps is kept.</summary>
internal sealed class OdeAdjointFunction : KernelFunction<OdeAdjointFunction>
{
    private const string JobKey = "job";

    /// <summary>Arguments: the start, what each example has of its own, the parameters, the <see cref="OdeJob"/>.</summary>
    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var job = (OdeJob)arguments[^1];
        context.save_data(JobKey, job);
        var tensors = arguments[..^1].Cast<Tensor>().ToArray();
        using var scope = NewDisposeScope();
        var loop = new OdeLoop(job.Plan, new OdeStepper(job.System, job.Plan, tensors[0], scope));
        var value = loop.Run(tensors[0], tensors[1..(1 + job.Given)]);
        job.Statistics = loop.Statistics;
        // detached, so that the graph does not hold itself
        var end = value.detach();
        context.save_for_backward([.. tensors, end]);
        scope.MoveToOuter(end);
        return [scope.MoveToOuter(value)];
    }

    /// <inheritdoc/>
    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var job = (OdeJob)context.get_data(JobKey);
        OdeRun.RefuseSecondDerivatives();
        var saved = context.get_saved_variables();
        var given = saved.Skip(1).Take(job.Given).ToArray();
        var parameters = saved.Skip(1 + job.Given).SkipLast(1).ToArray();
        using var found = new OdeGradients(gradients[0], given, parameters);
        using var scope = NewDisposeScope();
        var m = gradients[0].size(1);
        var pair = cat([saved[^1], gradients[0]], 1).detach();
        var plan = job.Plan.Adjoint(pair.dtype);
        var integral = new OdeAdjointIntegral(job.System, plan.Tableau, given, found);
        var loop = new OdeLoop(plan, new OdeStepper(new OdeAdjointSystem(job.System), plan, pair, scope)) { Observer = integral.Add };
        var start = loop.Run(pair, given);
        return [scope.MoveToOuter(start.narrow(1, m, m).clone()), .. found.Given,
            .. OdeGradients.OfParameters(parameters).Select(g => g is null ? null : scope.MoveToOuter(g)), null];
    }
}

/// <summary>State y and adjoint a side by side: dy/dt = f, da/dt = −aᵀ ∂f/∂y.</summary>
internal sealed class OdeAdjointSystem(OdeSystem system) : OdeSystem
{
    public override IReadOnlyList<Tensor>? Parameters => null;

    public override Tensor Evaluate(Tensor t, Tensor y, IReadOnlyList<Tensor> given)
    {
        using var scope = NewDisposeScope();
        var m = y.size(1) / 2;
        Tensor slope;
        var leaf = y.narrow(1, 0, m).detach().clone();
        using (enable_grad())
        {
            leaf.requires_grad_(true);
            slope = system.Evaluate(t, leaf, given);
            if (slope.requires_grad) autograd.backward([slope], [y.narrow(1, m, m).detach()], false, false, [leaf]);
            KernelFault.Throw();
        }
        var change = leaf.grad is { } product ? product.neg() : zeros_like(leaf, requires_grad: false);
        return scope.MoveToOuter(cat([slope.detach(), change], 1));
    }
}

/// <summary>
/// The gradients of parameters and contexts, −∫ aᵀ ∂f/∂θ dt backwards in time, by the method's own weights: they
/// are no states of the solve, so its error control does not count them (the seminorm of arXiv 2009.09457).
/// </summary>
internal sealed class OdeAdjointIntegral(OdeSystem system, OdeTableau tableau, IReadOnlyList<Tensor> given, OdeGradients gradients)
{
    public void Add(OdeRows before, OdeAttempt attempt, Tensor taken)
    {
        using var scope = NewDisposeScope();
        var m = before.State.size(1) / 2;
        var h = before.Step.mul(taken.to(before.Step.dtype)).to(before.State.dtype).unsqueeze(1);
        List<Tensor> points = [], times = [], cotangents = [], index = [];
        for (var i = 0; i < tableau.Count; i++)
        {
            if (tableau.Weights[i] == 0) continue;
            var point = i == 0 ? before.State : OdeStepReference.Combine(before.State, before.Step, attempt.Slopes, tableau.Stages[i]);
            points.Add(point.narrow(1, 0, m));
            times.Add(OdeStepReference.At(before, tableau.Nodes[i]));
            cotangents.Add(point.narrow(1, m, m).mul(h).mul(Scalars.Of(-tableau.Weights[i])));
            index.Add(before.Index);
        }
        var at = cat(times);
        gradients.Through(cat(index), given, [cat(points)], [cat(cotangents)], (leaves, own) => [system.Evaluate(at, leaves[0], own)]);
    }
}
