using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A solve by the kernel in the graph: state, weights and what contexts add to gates and shifts → the state at the end. Its
/// gradient goes back through the steps that were taken, whose states are kept.</summary>
internal sealed class DynamicsFunction : KernelFunction<DynamicsFunction>
{
    private const string JobKey = "job";

    /// <summary>The state at the end, with a graph. In the caller's scope.</summary>
    /// <param name="start">y at the start.</param>
    /// <param name="solve">The solve, whose steps were recorded.</param>
    public static Tensor Of(Tensor start, DynamicsRun solve) =>
        Apply([start, .. solve.Tensors.OfType<Tensor>(), solve.Taken!.First, solve.Taken.Steps, solve.Taken.States, solve])[0];

    /// <inheritdoc/>
    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var solve = (DynamicsRun)arguments[^1];
        context.save_data(JobKey, new Job(solve.Shape, [.. solve.Tensors.Select(t => t is not null)]));
        context.save_for_backward([.. arguments[..^1].Cast<Tensor>()]);
        return [solve.Value.clone()];
    }

    /// <inheritdoc/>
    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var job = (Job)context.get_data(JobKey);
        var saved = context.get_saved_variables();
        var next = 1;
        Tensor?[] tensors = [.. job.Has.Select(has => has ? saved[next++] : null)];
        var taken = new DynamicsSteps(saved[next], saved[next + 1], saved[next + 2]);
        if (is_grad_enabled())
            return [.. KernelReference.Differentiate(inputs => [DynamicsReference.Of(job.Shape, inputs[0], Placed(job.Has, inputs), taken)],
                saved.GetRange(0, next), [gradients[0]]), null, null, null, null];
        var (start, weights) = DynamicsOperation.Back(job.Shape, tensors, taken, gradients[0].contiguous());
        return [start, .. weights.Where((_, i) => job.Has[i]), null, null, null, null];
    }

    private static Tensor?[] Placed(bool[] has, IReadOnlyList<Tensor> inputs)
    {
        var next = 1;
        return [.. has.Select(h => h ? inputs[next++] : null)];
    }

    private sealed record Job(DynamicsShape Shape, bool[] Has);
}
