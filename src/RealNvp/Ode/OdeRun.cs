using RealNvp.Internal;
using RealNvp.Operations;
using static TorchSharp.torch;

namespace RealNvp.Ode;

/// <summary>A solve, with gradients if they are wanted.</summary>
internal static class OdeRun
{
    /// <summary>y at the end (N, M), or at all times (T, N, M). In the caller's dispose scope.</summary>
    public static (Tensor Value, OdeStatistics Statistics) Solve(OdeSystem system, Tensor start, IReadOnlyList<Tensor> given, OdePlan plan,
        bool all)
    {
        if (Differentiates(system, start, given, plan))
            return all ? AtTimes(system, start, given, plan) : WithGradient(system, start, given, plan);
        using var scope = NewDisposeScope();
        if (Fused(system, start, given, plan, differentiates: false) is { } found)
            return (scope.MoveToOuter(all ? stack([start, found.Value]) : found.Value), found.Statistics);
        var loop = new OdeLoop(plan, new OdeStepper(system, plan, start, scope));
        var value = loop.Run(start, given);
        if (all && !plan.IsDense) value = stack([start, value]);
        return (scope.MoveToOuter(value), loop.Statistics);
    }

    // the whole solve as one kernel, if f is a network that it knows
    private static (Tensor Value, OdeStatistics Statistics)? Fused(OdeSystem system, Tensor start, IReadOnlyList<Tensor> given,
        OdePlan plan, bool differentiates)
    {
        var scheme = plan.Tableau.Scheme;
        if (plan.IsDense || plan.Control.Start == plan.Control.End || system.Fused(given) is not { } fused
            || !DynamicsOperation.CanRun(fused.Network, start, fused.Context)
            || (differentiates && !DynamicsOperation.CanDifferentiate(fused.Network, start, scheme))) return null;
        var found = DynamicsOperation.Solve(fused.Network, start, fused.Context, scheme, plan.Control, plan.Options.FirstStep,
            differentiates, plan.Options.MemoryBudget);
        // beyond the budget the steps are walked by those who keep fewer states
        if (found.IsOverBudget) return null;
        if (found.Failed is { } failed)
            throw OdeFailures.Describe(plan, failed.Status, failed.Example, failed.Time, failed.Step, failed.Component);
        return (differentiates ? DynamicsFunction.Of(start, found) : found.Value, new(found.Evaluations, found.Accepted, found.Rejected));
    }

    /// <summary>Throws if gradients of the gradients are asked for.</summary>
    public static void RefuseSecondDerivatives()
    {
        if (is_grad_enabled())
            throw new NotSupportedException(
                $"This solve gives no gradients of gradients (create_graph). Use {nameof(OdeGradient)}.{nameof(OdeGradient.Graph)} for " +
                $"this loss, which {nameof(OdeOptions)} and the ContinuousOptions of a layer have as Gradient.");
    }

    private static bool Differentiates(OdeSystem system, Tensor start, IReadOnlyList<Tensor> given, OdePlan plan)
    {
        if (!is_grad_enabled() || start.shape[0] == 0 || plan.Control.Start == plan.Control.End) return false;
        if (start.requires_grad || given.Any(g => g.requires_grad)) return true;
        if (system.Parameters is { } parameters) return parameters.Any(p => p.requires_grad);
        // nobody said what f depends on: its graph does
        using var scope = NewDisposeScope();
        using var time = Scalars.New(plan.Control.Start);
        return system.Evaluate(full(start.shape[0], time, start.dtype, start.device), start, given).requires_grad;
    }

    // steps end at the times, so that each part has a gradient of its own
    private static (Tensor, OdeStatistics) AtTimes(OdeSystem system, Tensor start, IReadOnlyList<Tensor> given, OdePlan plan)
    {
        List<Tensor> values = [start];
        var n = (int)start.shape[0];
        var (evaluations, accepted, rejected) = (0L, new long[n], new long[n]);
        for (var i = 1; i < plan.Times.Count; i++)
        {
            var (value, statistics) = WithGradient(system, values[^1], given, plan.Part(i, start.dtype));
            values.Add(value);
            evaluations += statistics.Evaluations;
            for (var row = 0; row < n; row++)
            {
                accepted[row] += statistics.Accepted[row];
                rejected[row] += statistics.Rejected[row];
            }
        }
        return (stack(values), new(evaluations, accepted, rejected));
    }

    private static (Tensor, OdeStatistics) WithGradient(OdeSystem system, Tensor start, IReadOnlyList<Tensor> given, OdePlan plan)
    {
        if (plan.GradientOf(system) == OdeGradient.Graph) return Graph(system, start, given, plan);
        if (plan.GradientOf(system) == OdeGradient.Checkpointed)
        {
            using var scope = NewDisposeScope();
            if (Fused(system, start, given, plan, differentiates: true) is { } found)
                return (scope.MoveToOuter(found.Value), found.Statistics);
        }
        var job = new OdeJob(system, plan, given.Count);
        object[] arguments = [start, .. given, .. system.Parameters!, job];
        var value = plan.GradientOf(system) switch
        {
            OdeGradient.Reversible => OdeReversibleFunction.Apply(arguments)[0],
            OdeGradient.Adjoint => OdeAdjointFunction.Apply(arguments)[0],
            _ => OdeFunction.Apply(arguments)[0],
        };
        return (value, job.Statistics!);
    }

    private static (Tensor, OdeStatistics) Graph(OdeSystem system, Tensor start, IReadOnlyList<Tensor> given, OdePlan plan)
    {
        using var scope = NewDisposeScope();
        var tape = new OdeTape(plan, scope, keepsStates: false);
        var loop = new OdeLoop(plan, new OdeStepper(system, plan, start, scope)) { Observer = (before, _, taken) => tape.Add(before,
            taken) };
        loop.Run(start, given);
        var value = new OdeReplay(system, plan.Tableau).All(new OdeRecord([.. tape.Tensors], tape.Layout, plan, start), start, given);
        return (ReferenceEquals(value, start) ? start.alias() : scope.MoveToOuter(value), loop.Statistics);
    }
}
