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
        var tensors = new List<Tensor>(arguments.Length - 2);
        for (var i = 0; i < arguments.Length - 2; i++) tensors.Add((Tensor)arguments[i]);
        var (value, logDet, tape) = chain.Forward(tensors, hasContext, keeps: true);
        context.save_data(ChainKey, chain);
        context.save_data(ContextKey, hasContext);
        SavedTensors.Save(context, tensors, tape);
        return [value, logDet];
    }

    protected override unsafe List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var (chain, hasContext) = ((RowChain)context.get_data(ChainKey), (bool)context.get_data(ContextKey));
        var saved = SavedTensors.Of(context);
        List<Tensor?> results;
        if (is_grad_enabled())
        {
            var tensors = saved.Tensors(context);
            tensors.RemoveRange(chain.Tensors(hasContext), tensors.Count - chain.Tensors(hasContext));
            results = KernelReference.Differentiate(inputs =>
            {
                var (value, logDet) = chain.Reference(inputs, hasContext);
                return [value, logDet];
            }, tensors, gradients);
        }
        else
        {
            fixed (IntPtr* weights = saved.Weights)
            {
                ReadOnlySpan<IntPtr> all = saved.Handles(context, weights);
                var arguments = all[..chain.Tensors(hasContext)];
                using var made = new NewGradients(arguments);
                chain.Backward(arguments, hasContext, all[arguments.Length..], gradients[0], gradients[1], made);
                results = made.Give(Leaves(context));
            }
        }
        results.AddRange([null, null]);
        return results;
    }
}
