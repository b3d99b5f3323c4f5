using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The inverse of an autoregressive layer as one node of autograd. Arguments: the tensors of the network, the latents first; the
/// weight of the maps, if they have one; the plan, and whether there is a context.</summary>
internal sealed class SequenceFunction : KernelFunction<SequenceFunction>
{
    private const string PlanKey = "plan", ContextKey = "context";

    /// <summary>Value (N, D) and log-determinant (N), without a graph; the caller disposes them.</summary>
    /// <param name="plan">The layer.</param>
    /// <param name="all">Its tensors.</param>
    /// <param name="hasContext">Whether there is a context among them.</param>
    /// <param name="tape">Gets what the gradients need; null if none are wanted.</param>
    public static unsafe (Tensor Value, Tensor LogDet) Forward(SequencePlan plan, IReadOnlyList<Tensor> all, bool hasContext, Tensor? tape)
    {
        var rows = all[0].size(0);
        Tensor value = empty([rows, plan.Shape.Features], ScalarType.Float32, CPU), logDet = empty([rows], ScalarType.Float32, CPU);
        var tensors = Tensors(plan, all, hasContext);
        var residual = SequenceForward.Run(Call(plan, all, tensors), KernelMemory.Floats(tape), KernelMemory.Pointer<float>(value),
            KernelMemory.Pointer<float>(logDet));
        plan.CheckRoots(residual);
        return (value, logDet);
    }

    protected override bool OwnsGradients => true;

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var (plan, hasContext) = ((SequencePlan)arguments[^2], (bool)arguments[^1]);
        var tensors = new List<Tensor>(arguments.Length - 2);
        for (var i = 0; i < arguments.Length - 2; i++) tensors.Add((Tensor)arguments[i]);
        var tape = empty([plan.Shape.TapeSize(tensors[0].size(0))], ScalarType.Float32, CPU);
        var (value, logDet) = Forward(plan, tensors, hasContext, tape);
        context.save_data(PlanKey, plan);
        context.save_data(ContextKey, hasContext);
        // detached, so that the graph does not hold itself
        context.save_for_backward([.. tensors, value.detach(), tape]);
        return [value, logDet];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var (plan, hasContext) = ((SequencePlan)context.get_data(PlanKey), (bool)context.get_data(ContextKey));
        var saved = context.get_saved_variables();
        var (value, tape) = (saved[^2], saved[^1]);
        saved.RemoveRange(saved.Count - 2, 2);
        var results = is_grad_enabled()
            ? KernelReference.Differentiate(i => { var (y, l) = plan.Reference(i, hasContext); return [y, l]; }, saved, gradients)
            : Gradients(plan, saved, hasContext, value, tape, gradients);
        results.AddRange([null, null]);
        return results;
    }

    private static unsafe List<Tensor?> Gradients(SequencePlan plan, List<Tensor> saved, bool hasContext, Tensor value, Tensor tape,
        List<Tensor> gradients)
    {
        var tensors = Tensors(plan, saved, hasContext);
        var to = tensors.Gradients(saved, out var results);
        float ofWeight = 0;
        if (plan.Shape.HasWeight && results[^1] is not null)
        {
            to.After = &ofWeight;
            to.AfterCount = 1;
        }
        using var ofValue = gradients[0].contiguous();
        var ofLogDet = gradients[1];
        var slopes = new SequenceSlopes
        {
            Value = KernelMemory.Pointer<float>(value),
            OfValue = KernelMemory.Pointer<float>(ofValue),
            OfLogDet = KernelMemory.Pointer<float>(ofLogDet),
            OfLogDetRow = (nint)ofLogDet.stride(0),
        };
        SequenceBackward.Run(Call(plan, saved, tensors), KernelMemory.Pointer<float>(tape), slopes, to);
        if (to.After != null) *KernelMemory.Pointer<float>(results[^1]!) = ofWeight;
        return results;
    }

    private static DenseTensors Tensors(SequencePlan plan, IReadOnlyList<Tensor> all, bool hasContext) =>
        new(plan.Shape.Program, plan.Shape.HasWeight ? [.. all.Take(all.Count - 1)] : all, hasContext);

    private static unsafe SequenceCall Call(SequencePlan plan, IReadOnlyList<Tensor> all, DenseTensors tensors) =>
        new(plan.Shape, tensors.Call(), plan.Shape.HasWeight ? KernelMemory.Pointer<float>(all[^1]) : null);
}
