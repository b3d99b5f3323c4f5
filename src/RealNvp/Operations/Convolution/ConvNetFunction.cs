using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary><see cref="ConvNet"/> with its gradients. It keeps what both relus gave, and of the convolutions nothing else.</summary>
internal sealed class ConvNetFunction : KernelFunction<ConvNetFunction>
{
    protected override bool OwnsGradients => true;

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var tensors = arguments.Cast<Tensor>().ToList();
        var (output, inner, outer) = ConvNet.Forward(tensors, keep: true);
        context.save_for_backward([.. tensors, inner!, outer]);
        return [output];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var saved = context.get_saved_variables();
        var tensors = saved.GetRange(0, ConvNet.Count);
        if (is_grad_enabled()) return KernelReference.Differentiate(i => [ConvNet.Reference(i)], tensors, gradients);
        using var scope = NewDisposeScope();
        var results = ConvNet.Backward(tensors, saved[^2], saved[^1], gradients[0], tensors[0].requires_grad,
            tensors.Skip(1).Any(t => t.requires_grad));
        foreach (var result in results)
            if (result is not null) scope.MoveToOuter(result);
        return [.. results];
    }
}
