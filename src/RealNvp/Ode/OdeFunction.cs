using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Ode;

/// <summary>What a solve in the graph is given, beside its tensors.</summary>
internal sealed class OdeJob(OdeSystem system, OdePlan plan, int given)
{
    public OdeSystem System => system;

    public OdePlan Plan => plan;

    /// <summary>The number of tensors with something for each example.</summary>
    public int Given => given;

    public OdeStatistics? Statistics { get; set; }

    public OdeLayout Layout { get; set; } = new(0, [], []);
}

/// <summary>A solve in the graph, whose gradient goes back through the steps that
/// were taken: state, contexts and parameters → the state at the end.</summary>
internal sealed class OdeFunction : KernelFunction<OdeFunction>
{
    private const string JobKey = "job";

    /// <summary>Arguments: the start, what each example has of its own, the parameters, the <see cref="OdeJob"/>.</summary>
    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var job = (OdeJob)arguments[^1];
        context.save_data(JobKey, job);
        var tensors = arguments[..^1].Cast<Tensor>().ToArray();
        using var scope = NewDisposeScope();
        var tape = new OdeTape(job.Plan, scope, job.Plan.Options.MemoryBudget);
        var loop = new OdeLoop(job.Plan, new OdeStepper(job.System, job.Plan, tensors[0], scope))
        {
            Observer = (before, _, taken) => tape.Add(before, taken),
        };
        var value = loop.Run(tensors[0], tensors[1..(1 + job.Given)]);
        (job.Statistics, job.Layout) = (loop.Statistics, tape.Layout);
        List<Tensor> kept = [.. tensors, .. tape.Tensors];
        context.save_for_backward(kept);
        foreach (var tensor in kept.Skip(tensors.Length)) scope.MoveToOuter(tensor);
        return [scope.MoveToOuter(value)];
    }

    /// <inheritdoc/>
    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var job = (OdeJob)context.get_data(JobKey);
        var saved = context.get_saved_variables();
        var count = saved.Count - job.Layout.Tensors;
        var record = new OdeRecord([.. saved.Skip(count)], job.Layout, job.Plan, saved[0]);
        var given = saved.Skip(1).Take(job.Given).ToArray();
        var parameters = saved.Skip(1 + job.Given).Take(count - 1 - job.Given).ToArray();
        if (is_grad_enabled())
        {
            if (job.System.With(parameters) is null) OdeRun.RefuseSecondDerivatives();
            return [.. KernelReference.Differentiate(inputs => [Replay(job, record, inputs)], saved.GetRange(0, count), [gradients[0]]),
                null];
        }
        using var found = new OdeGradients(gradients[0], given, parameters);
        new OdeBackward(new OdeReplay(job.System, job.Plan.Tableau), record, given, found).Run();
        return [found.State, .. found.Given, .. OdeGradients.OfParameters(parameters), null];
    }

    // all steps in one graph, in which every tensor that has a gradient is one of the inputs
    private static Tensor Replay(OdeJob job, OdeRecord record, IReadOnlyList<Tensor> inputs)
    {
        var system = job.System.With([.. inputs.Skip(1 + job.Given)])!;
        return new OdeReplay(system, job.Plan.Tableau).All(record, inputs[0], [.. inputs.Skip(1).Take(job.Given)]);
    }
}
