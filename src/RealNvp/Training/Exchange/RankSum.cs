using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The sum of a tensor over all processes. The loss is a sum over them too, so the gradient is the sum of their
/// gradients.</summary>
internal sealed class RankSum : KernelFunction<RankSum>
{
    private const string RanksKey = "ranks";

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var (values, ranks) = ((Tensor)arguments[0], (Ranks)arguments[1]);
        context.save_data(RanksKey, ranks);
        context.save_for_backward([values]);
        var sum = values.contiguous().clone();
        ranks.SumInPlace(sum);
        return [sum];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        if (is_grad_enabled())
            throw new NotSupportedException("Gradients of gradients are not defined through a sum over processes.");
        var sum = gradients[0].contiguous().clone();
        ((Ranks)context.get_data(RanksKey)).SumInPlace(sum);
        return [sum, null];
    }
}
