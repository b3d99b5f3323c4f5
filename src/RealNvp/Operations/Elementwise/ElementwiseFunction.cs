using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The autograd node of an elementwise map. Arguments: input, parameters, the weight if the
/// map has one, the root if the inverse is a search; the <see cref="ElementwiseCall"/>.</summary>
internal sealed class ElementwiseFunction : KernelFunction<ElementwiseFunction>
{
    private const string CallKey = "call";

    /// <inheritdoc/>
    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var call = (ElementwiseCall)arguments[^1];
        var tensors = new List<Tensor>(arguments.Length - 1);
        for (var i = 0; i < arguments.Length - 1; i++) tensors.Add((Tensor)arguments[i]);
        context.save_for_backward(tensors);
        context.save_data(CallKey, call);
        var (weight, root) = Parts(call, tensors);
        var (value, log) = ElementwiseOperation.Run(call, root ?? tensors[0], tensors[1], weight);
        return [value, log];
    }

    /// <inheritdoc/>
    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var saved = context.get_saved_variables();
        var call = (ElementwiseCall)context.get_data(CallKey);
        if (is_grad_enabled())
            return [.. KernelReference.Differentiate(i => { var (w, r) = Parts(call, i); var (v, l) = ElementwiseOperation.Reference(call,
                i[0], i[1], w, r); return [v, l]; }, saved, gradients), null];
        var (weight, root) = Parts(call, saved);
        var (ofInput, ofParameters, ofWeight) = ElementwiseOperation.Gradients(call, root ?? saved[0], saved[1], weight, gradients[0],
            gradients[1]);
        List<Tensor?> results = [ofInput, ofParameters];
        if (weight is not null) results.Add(ofWeight);
        while (results.Count <= saved.Count) results.Add(null);
        return results;
    }

    private static (Tensor? Weight, Tensor? Root) Parts(ElementwiseCall call, IReadOnlyList<Tensor> tensors)
    {
        var hasRoot = call.Inverse && call.Map.InverseIsSearch;
        return (tensors.Count > (hasRoot ? 3 : 2) ? tensors[2] : null, hasRoot ? tensors[^1] : null);
    }
}
