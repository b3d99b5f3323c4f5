using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary><see cref="Winograd"/> with its gradients. Its arguments: the
/// input, the weight, the bias if there is one, and the border.</summary>
internal sealed class WinogradFunction : KernelFunction<WinogradFunction>
{
    private const string BorderKey = "border";

    protected override bool OwnsGradients => true;

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var tensors = arguments.OfType<Tensor>().ToList();
        var border = (float)arguments[^1];
        context.save_data(BorderKey, border);
        context.save_for_backward(tensors);
        return [Winograd.Forward(tensors[0], tensors[1], tensors.ElementAtOrDefault(2), border)];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var border = (float)context.get_data(BorderKey);
        var saved = context.get_saved_variables();
        if (is_grad_enabled())
            return [.. KernelReference.Differentiate(i => [ImageConvolution.Reference(i[0], i[1], i.ElementAtOrDefault(2), border)], saved,
                gradients), null];
        using var scope = NewDisposeScope();
        var results = new Tensor?[saved.Count + 1];
        var gradient = ChannelsLast.Of(gradients[0]);
        if (saved[0].requires_grad) results[0] = Winograd.InputGradient(saved[0], saved[1], gradient);
        var hasBias = saved.Count > 2;
        if (saved[1].requires_grad || (hasBias && saved[2].requires_grad))
        {
            var (weight, bias) = Winograd.WeightGradient(saved[0], saved[1], hasBias, border, gradient);
            results[1] = weight;
            if (hasBias) results[2] = bias;
        }
        foreach (var result in results)
            if (result is not null) scope.MoveToOuter(result);
        return [.. results];
    }
}
