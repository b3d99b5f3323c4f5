using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Kernels;

/// <summary>
/// A 3×3 convolution of relu of batch normalization, conv(relu(norm(x))), as one node of the graph: it keeps x alone, and computes what the
/// convolution reads again for the gradient. That costs one pass over memory, and saves two images of three.
/// </summary>
internal static class NormConvolution
{
    /// <summary>Whether it takes these: images and a weight that <see cref="Winograd"/> is worth it for.</summary>
    public static bool Takes(Tensor x, Tensor scale, Tensor weight, Tensor? bias) =>
        NormRelu.Takes(x, scale) && ImageConvolution.Takes(x, weight, bias) && Winograd.HasEvenTaps(weight);

    /// <summary>The convolution (N, K, H, W), and μ and the biased σ² of x; with gradients.</summary>
    public static List<Tensor> Apply(Tensor x, Tensor scale, Tensor shift, double eps, Tensor weight, Tensor? bias) =>
        bias is null ? NormConvolutionFunction.Apply(x, scale, shift, weight, eps) : NormConvolutionFunction.Apply(x, scale, shift, weight, bias, eps);

    internal static Tensor Plain(IReadOnlyList<Tensor> t, double eps) =>
        ImageConvolution.Plain(NormRelu.Plain(t[0], t[1], t[2], eps).Y, t[3], t.ElementAtOrDefault(4), 0);
}

/// <summary><see cref="NormConvolution"/> with its gradients. Its arguments: x, γ, β, the weight, the bias where there is one, and ε.</summary>
internal sealed class NormConvolutionFunction : KernelFunction<NormConvolutionFunction>
{
    private const string EpsKey = "eps";

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var (tensors, eps) = (arguments.OfType<Tensor>().ToList(), (double)arguments[^1]);
        var normed = NormRelu.Batch(tensors[0], tensors[1], tensors[2], eps);
        var output = Winograd.Forward(normed[0], tensors[3], tensors.ElementAtOrDefault(4), 0);
        normed[0].Dispose();
        context.save_data(EpsKey, eps);
        context.save_for_backward([.. tensors, normed[1], normed[2]]);
        context.mark_non_differentiable([normed[1], normed[2]]);
        return [output, normed[1], normed[2]];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var saved = context.get_saved_variables();
        var eps = (double)context.get_data(EpsKey);
        var tensors = saved.GetRange(0, saved.Count - 2);
        if (is_grad_enabled()) return [.. KernelTwin.Differentiate(i => [NormConvolution.Plain(i, eps)], tensors, [gradients[0]]), null];
        using var scope = NewDisposeScope();
        var (x, mean, variance, hasBias) = (tensors[0], saved[^2], saved[^1], tensors.Count > 4);
        var gradient = ChannelsLast.Of(gradients[0]);
        Tensor slope;
        Tensor?[] results = new Tensor?[tensors.Count + 1];
        using (var normed = NormRelu.Known(x, mean, variance, tensors[1], tensors[2], eps))
        {
            slope = Winograd.InputGradient(normed, tensors[3], gradient);
            var (weight, bias) = Winograd.WeightGradient(normed, tensors[3], hasBias, 0, gradient);
            (results[3], results[4]) = (weight, bias);
        }
        (results[0], results[1], results[2]) = NormRelu.Backward(x, tensors[1], tensors[2], mean, variance, eps, slope);
        foreach (var result in results)
            if (result is not null) scope.MoveToOuter(result);
        return [.. results];
    }
}
