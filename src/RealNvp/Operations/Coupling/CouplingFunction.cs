using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>
/// A fused layer as one node of autograd. Arguments: the tensors of the network, the first of them the whole input;
/// the weight of the map, if it has one; the plan, whether there is a context, whether it is the inverse.
/// </summary>
internal sealed class CouplingFunction : KernelFunction<CouplingFunction>
{
    private const string PlanKey = "plan", ContextKey = "context", InverseKey = "inverse";

    /// <summary>Value (N, D) and log-determinant (N), without a graph; the caller disposes them.</summary>
    /// <param name="plan">The layer.</param>
    /// <param name="all">Its tensors.</param>
    /// <param name="hasContext">Whether there is a context among them.</param>
    /// <param name="inverse">The direction.</param>
    /// <param name="tape">Gets what the gradients need; null if none are wanted.</param>
    public static unsafe (Tensor Value, Tensor LogDet) Forward(CouplingPlan plan, IReadOnlyList<Tensor> all, bool hasContext, bool inverse,
        Tensor? tape)
    {
        var rows = all[0].size(0);
        Tensor value = empty([rows, plan.Shape.Features], ScalarType.Float32, CPU), logDet = empty([rows], ScalarType.Float32, CPU);
        CouplingForward.Run(Call(plan, all, Tensors(plan, all, hasContext), inverse), KernelMemory.Floats(tape),
            KernelMemory.Pointer<float>(value), KernelMemory.Pointer<float>(logDet));
        return (value, logDet);
    }

    protected override bool OwnsGradients => true;

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var (plan, hasContext, inverse) = ((CouplingPlan)arguments[^3], (bool)arguments[^2], (bool)arguments[^1]);
        var tensors = new List<Tensor>(arguments.Length - 2);
        for (var i = 0; i < arguments.Length - 3; i++) tensors.Add((Tensor)arguments[i]);
        var tape = empty([CouplingForward.TapeSize(plan.Shape.Program, tensors[0].size(0))], ScalarType.Float32, CPU);
        var (value, logDet) = Forward(plan, tensors, hasContext, inverse, tape);
        tensors.Add(tape);
        context.save_data(PlanKey, plan);
        context.save_data(ContextKey, hasContext);
        context.save_data(InverseKey, inverse);
        context.save_for_backward(tensors);
        return [value, logDet];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var (plan, hasContext, inverse) = ((CouplingPlan)context.get_data(PlanKey), (bool)context.get_data(ContextKey),
            (bool)context.get_data(InverseKey));
        var saved = context.get_saved_variables();
        var tape = saved[^1];
        saved.RemoveAt(saved.Count - 1);
        var results = is_grad_enabled()
            ? KernelReference.Differentiate(i => { var (y, l) = plan.Reference(i, hasContext, inverse); return [y, l]; }, saved, gradients)
            : Gradients(plan, saved, hasContext, inverse, tape, gradients);
        results.AddRange([null, null, null]);
        return results;
    }

    private static unsafe List<Tensor?> Gradients(CouplingPlan plan, List<Tensor> saved, bool hasContext, bool inverse, Tensor tape,
        List<Tensor> gradients)
    {
        var tensors = Tensors(plan, saved, hasContext);
        var to = tensors.Gradients(saved, out var results);
        var columns = plan.Shape.Columns;
        var ofWeight = stackalloc float[columns];
        if (plan.Map.HasWeight && results[^1] is not null)
        {
            to.After = ofWeight;
            to.AfterCount = columns;
        }

        using var ofValue = gradients[0].contiguous();
        var ofLogDet = gradients[1];
        CouplingBackward.Run(Call(plan, saved, tensors, inverse), KernelMemory.Pointer<float>(tape), KernelMemory.Pointer<float>(ofValue),
            KernelMemory.Pointer<float>(ofLogDet), (nint)ofLogDet.stride(0), to);
        if (to.After != null) WriteWeight(ofWeight, columns, new(KernelMemory.Pointer<float>(results[^1]!), (int)results[^1]!.numel()));
        return results;
    }

    /// <summary>The gradient of the weight of the map from one number a column, which become one in all where the weight is one.</summary>
    public static unsafe void WriteWeight(float* ofColumns, int columns, Span<float> to)
    {
        double all = 0;
        for (var i = 0; i < columns; i++) all += ofColumns[i];
        if (to.Length == 1) to[0] = (float)all;
        else new ReadOnlySpan<float>(ofColumns, columns).CopyTo(to);
    }

    private static DenseTensors Tensors(CouplingPlan plan, IReadOnlyList<Tensor> all, bool hasContext) =>
        new(plan.Shape.Program, plan.Map.HasWeight ? [.. all.Take(all.Count - 1)] : all, hasContext);

    private static unsafe CouplingCall Call(CouplingPlan plan, IReadOnlyList<Tensor> all, DenseTensors tensors, bool inverse)
    {
        var weight = plan.Map.HasWeight ? all[^1] : null;
        return new(plan.Shape, tensors.Call(), inverse, KernelMemory.Floats(weight), (int)(weight?.numel() ?? 0));
    }
}
