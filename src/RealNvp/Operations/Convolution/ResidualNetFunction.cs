using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary><see cref="ResidualNet"/> with its gradients. Its arguments: the tensors, and the network.</summary>
internal sealed class ResidualNetFunction : KernelFunction<ResidualNetFunction>
{
    private const string NetKey = "net";

    protected override bool OwnsGradients => true;

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var (tensors, net) = (arguments[..^1].Cast<Tensor>().ToList(), (ResidualNet)arguments[^1]);
        context.save_data(NetKey, net);
        var (output, images, statistics) = net.Forward(tensors, keep: true);
        context.save_for_backward(statistics is null ? [.. tensors, images!] : [.. tensors, images!, statistics]);
        return [output];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var net = (ResidualNet)context.get_data(NetKey);
        var saved = context.get_saved_variables();
        var tensors = saved.GetRange(0, net.Form.Count);
        if (is_grad_enabled()) return [.. KernelReference.Differentiate(i => [net.Reference(i)], tensors, gradients), null];
        using var scope = NewDisposeScope();
        var results = net.Backward(tensors, saved[net.Form.Count], saved.ElementAtOrDefault(net.Form.Count + 1), gradients[0]);
        foreach (var result in results)
            if (result is not null) scope.MoveToOuter(result);
        return [.. results, null];
    }
}
