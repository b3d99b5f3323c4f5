using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Ode;

/// <summary>A solve by the reversible scheme in the graph: only times and
/// steps are kept, and states are rebuilt from the last one.</summary>
internal sealed class OdeReversibleFunction : KernelFunction<OdeReversibleFunction>
{
    private const string JobKey = "job";

    /// <summary>How far the rebuilt start of the last walk on this thread was from the true one, relative to its size. For tests.</summary>
    [ThreadStatic] public static double LastDrift;

    /// <summary>Beyond this distance the gradient is computed again from stored states.</summary>
    public static double Limit(ScalarType dtype) => Math.Sqrt(finfo(dtype).eps);

    /// <summary>Arguments: the start, what each example has of its own, the parameters, the <see cref="OdeJob"/>.</summary>
    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var job = (OdeJob)arguments[^1];
        context.save_data(JobKey, job);
        var tensors = arguments[..^1].Cast<Tensor>().ToArray();
        var m = tensors[0].size(1);
        using var scope = NewDisposeScope();
        var tape = new OdeTape(job.Plan, scope, keepsStates: false);
        var pair = cat([tensors[0], tensors[0]], 1);
        var loop = new OdeLoop(job.Plan, new OdePairStepper(job.System, job.Plan, tensors[0], scope)) { Observer = (before, _,
            taken) => tape.Add(before, taken) };
        var end = loop.Run(pair, tensors[1..(1 + job.Given)]);
        (job.Statistics, job.Layout) = (loop.Statistics, tape.Layout);
        List<Tensor> kept = [.. tensors, .. tape.Tensors, end];
        context.save_for_backward(kept);
        foreach (var tensor in kept.Skip(tensors.Length)) scope.MoveToOuter(tensor);
        return [scope.MoveToOuter(end.narrow(1, 0, m).clone())];
    }

    /// <inheritdoc/>
    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var job = (OdeJob)context.get_data(JobKey);
        OdeRun.RefuseSecondDerivatives();
        var saved = context.get_saved_variables();
        var count = saved.Count - job.Layout.Tensors - 1;
        var record = new OdeRecord([.. saved.Skip(count).SkipLast(1)], job.Layout, job.Plan, saved[0]);
        var given = saved.Skip(1).Take(job.Given).ToArray();
        var parameters = saved.Skip(1 + job.Given).Take(count - 1 - job.Given).ToArray();
        var walk = new OdePairWalk(job, record, given, parameters, gradients[0]);
        var found = walk.Rebuild(saved[0], saved[^1]);
        LastDrift = walk.Drift;
        if (!(walk.Drift <= Limit(saved[0].dtype)))
        {
            found.Dispose();
            found = walk.Replay(saved[0]);
        }
        // both states began at the start
        var m = saved[0].size(1);
        using (found)
            return [found.State.narrow(1, 0, m).add(found.State.narrow(1, m, m), Scalars.One), .. found.Given,
                .. OdeGradients.OfParameters(parameters), null];
    }
}
