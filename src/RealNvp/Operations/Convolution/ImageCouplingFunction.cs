using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary><see cref="ImageCoupling"/> with its gradients. Arguments: its tensors; the <see cref="ImageCoupling"/>, and whether it is the
/// inverse.</summary>
internal sealed class ImageCouplingFunction : KernelFunction<ImageCouplingFunction>
{
    private const string CouplingKey = "coupling", InverseKey = "inverse";

    // behind the tensors: parameters, and what both relus gave
    private const int Kept = 3;

    protected override bool OwnsGradients => true;

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var (coupling, inverse) = ((ImageCoupling)arguments[^2], (bool)arguments[^1]);
        var tensors = new List<Tensor>(arguments.Length + 1);
        for (var i = 0; i < arguments.Length - 2; i++) tensors.Add((Tensor)arguments[i]);
        var (value, logDet, tape) = coupling.Forward(tensors, inverse, keep: true);
        tensors.AddRange(tape);
        context.save_data(CouplingKey, coupling);
        context.save_data(InverseKey, inverse);
        context.save_for_backward(tensors);
        return [value, logDet];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var (coupling, inverse) = ((ImageCoupling)context.get_data(CouplingKey), (bool)context.get_data(InverseKey));
        var saved = context.get_saved_variables();
        var tensors = saved.GetRange(0, saved.Count - Kept);
        var results = is_grad_enabled()
            ? KernelReference.Differentiate(i => { var (y, l) = coupling.Reference(i, inverse); return [y, l]; }, tensors, gradients)
            : coupling.Backward(tensors, saved.GetRange(tensors.Count, Kept), inverse, gradients[0], gradients[1]);
        results.AddRange([null, null]);
        return results;
    }
}
