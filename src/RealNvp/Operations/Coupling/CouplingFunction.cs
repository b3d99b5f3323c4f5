using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A fused layer as one node of autograd. Arguments: the tensors of <see cref="CouplingCall"/>, the plan, whether there is a context, whether it is the inverse.</summary>
internal sealed class CouplingFunction : KernelFunction<CouplingFunction>
{
    private const string PlanKey = "plan", ContextKey = "context", InverseKey = "inverse";

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var (plan, hasContext, inverse) = ((CouplingPlan)arguments[^3], (bool)arguments[^2], (bool)arguments[^1]);
        var tensors = new List<Tensor>(arguments.Length - 2);
        for (var i = 0; i < arguments.Length - 3; i++) tensors.Add((Tensor)arguments[i]);
        var tape = empty([CouplingForward.TapeSize(plan.Program, tensors[0].shape[0])], ScalarType.Float32, CPU);
        var (value, logDet) = CouplingForward.Run(new CouplingCall(plan, tensors, hasContext, inverse), tape);
        tensors.Add(tape);
        context.save_data(PlanKey, plan);
        context.save_data(ContextKey, hasContext);
        context.save_data(InverseKey, inverse);
        context.save_for_backward(tensors);
        return [value, logDet];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var (plan, hasContext, inverse) = ((CouplingPlan)context.get_data(PlanKey), (bool)context.get_data(ContextKey), (bool)context.get_data(InverseKey));
        var saved = context.get_saved_variables();
        var tape = saved[^1];
        saved.RemoveAt(saved.Count - 1);
        var results = is_grad_enabled()
            ? KernelTwin.Differentiate(i => { var (y, l) = plan.Plain(i, hasContext, inverse); return [y, l]; }, saved, gradients)
            : Gradients(new CouplingCall(plan, saved, hasContext, inverse), saved, tape, gradients);
        results.AddRange([null, null, null]);
        return results;
    }

    private static unsafe List<Tensor?> Gradients(CouplingCall call, List<Tensor> saved, Tensor tape, List<Tensor> gradients)
    {
        var to = call.Tensors.Gradients(saved, out var results);
        // one number a column, which become one in all where the weight is one
        var ofWeight = stackalloc float[call.Columns];
        if (call.HasWeight && results[^1] is not null)
        {
            to.After = ofWeight;
            to.AfterCount = call.Columns;
        }

        using var ofValue = gradients[0].contiguous();
        var ofLogDet = gradients[1];
        CouplingBackward.Run(call, KernelMemory.Pointer<float>(tape), KernelMemory.Pointer<float>(ofValue), KernelMemory.Pointer<float>(ofLogDet), (nint)ofLogDet.stride(0), to);
        if (to.After != null) WriteWeight(call, saved[^1], ofWeight, results[^1]!);
        return results;
    }

    // a number beyond its limit acts as if it were at it, so nothing moves it
    private static unsafe void WriteWeight(CouplingCall call, Tensor weight, float* ofColumns, Tensor to)
    {
        float* given = KernelMemory.Pointer<float>(weight), result = KernelMemory.Pointer<float>(to);
        var count = (int)weight.numel();
        var most = call.Plan.Map.MaxWeight;
        double all = 0;
        for (var i = 0; i < call.Columns; i++) all += ofColumns[i];
        for (var i = 0; i < count; i++) result[i] = Math.Abs(given[i]) <= most ? count == 1 ? (float)all : ofColumns[i] : 0;
    }
}
