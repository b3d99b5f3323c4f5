using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A chain of layers as one node of autograd. Arguments: input, context if there is one, the weights of all steps; the
/// <see cref="RowChain"/>, and whether there is a context.</summary>
internal sealed class ChainFunction : KernelFunction<ChainFunction>
{
    private const string ChainKey = "chain", ContextKey = "context";

    protected override bool OwnsGradients => true;

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var (chain, hasContext) = ((RowChain)arguments[^2], (bool)arguments[^1]);
        var tensors = new List<Tensor>(arguments.Length - 1);
        for (var i = 0; i < arguments.Length - 2; i++) tensors.Add((Tensor)arguments[i]);
        var shape = tensors[0].shape;
        var tape = empty([chain.TapeSize(checked((int)shape[0]), checked((int)shape[1]))], ScalarType.Float32, CPU);
        var (value, logDet) = chain.Forward(tensors, hasContext, tape);
        tensors.Add(tape);
        context.save_data(ChainKey, chain);
        context.save_data(ContextKey, hasContext);
        context.save_for_backward(tensors);
        return [value, logDet];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var (chain, hasContext) = ((RowChain)context.get_data(ChainKey), (bool)context.get_data(ContextKey));
        var saved = context.get_saved_variables();
        var tape = saved[^1];
        saved.RemoveAt(saved.Count - 1);
        var results = is_grad_enabled()
            ? KernelReference.Differentiate(i => { var (y, l) = chain.Reference(i, hasContext); return [y, l]; }, saved, gradients)
            : chain.Backward(saved, hasContext, tape, gradients[0], gradients[1]);
        results.AddRange([null, null]);
        return results;
    }
}
