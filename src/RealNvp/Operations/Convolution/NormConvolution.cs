using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>
/// A 3×3 convolution of relu of batch normalization, conv(relu(norm(x))), as one node of the graph: it keeps x alone, and computes what the
/// convolution reads again for the gradient. That costs one pass over memory, and saves two images of three.
/// </summary>
/// <remarks>
/// What lives for the length of a call is no tensor, but memory that the thread keeps: images that come and
/// go between others that stay would leave holes in the heap, nearly as large as all that is in use.
/// </remarks>
internal static unsafe class NormConvolution
{
    /// <summary>Whether it can run on these: images and a weight that <see cref="Winograd"/> is worth it for.</summary>
    public static bool CanRun(Tensor x, Tensor scale, Tensor shift, Tensor weight, Tensor? bias) =>
        NormRelu.CanRun(x, scale, shift) && ImageConvolution.ShouldRun(x, weight, bias) && Winograd.HasEvenTaps(weight);

    /// <summary>The convolution (N, K, H, W), and μ and the biased σ² of x; with gradients.</summary>
    public static List<Tensor> Apply(Tensor x, Tensor scale, Tensor shift, double eps, Tensor weight, Tensor? bias) =>
        bias is null ? NormConvolutionFunction.Apply(x, scale, shift, weight, eps)
            : NormConvolutionFunction.Apply(x, scale, shift, weight, bias, eps);

    internal static Tensor Reference(IReadOnlyList<Tensor> t, double eps) =>
        ImageConvolution.Reference(NormRelu.Reference(t[0], t[1], t[2], eps).Y, t[3], t.ElementAtOrDefault(4), 0);

    internal static List<Tensor> Forward(IReadOnlyList<Tensor> t, double eps)
    {
        var shape = Winograd.Shape(t[0], t[3]);
        var normed = KernelScratch.Held(t[0].numel());
        var output = ChannelsLast.Empty(shape.N, shape.K, shape.H, shape.W);
        var (mean, variance) = NormRelu.Batch(t[0], t[1], t[2], eps, normed);
        Winograd.Convolve(shape, normed, 0, Winograd.Weight(t[3]), t.Count > 4 ? KernelMemory.Pointer<float>(t[4])
            : null, KernelMemory.Pointer<float>(output));
        GC.KeepAlive(t);
        return [output, mean, variance];
    }

    /// <summary>The gradients of all tensors.</summary>
    internal static List<Tensor?> Backward(IReadOnlyList<Tensor> t, Tensor mean, Tensor variance, double eps, Tensor gradient)
    {
        var (shape, count) = (Winograd.Shape(t[0], t[3]), t[0].numel());
        float* normed = KernelScratch.Held(2 * count), ofNormed = normed + count;
        NormRelu.Known(t[0], mean, variance, t[1], t[2], eps, normed);
        var (kernel, kernelBias) = Winograd.WeightGradient(shape, normed, t[3], t.Count > 4, 0, gradient);
        Winograd.Convolve(shape.Reversed, KernelMemory.Pointer<float>(gradient), 0, Winograd.Weight(t[3]).Reversed, null, ofNormed);
        var (x, scale, shift) = NormRelu.Backward(t[0], t[1], t[2], mean, variance, eps, ofNormed);
        GC.KeepAlive(t);
        GC.KeepAlive(gradient);
        return kernelBias is null ? [x, scale, shift, kernel] : [x, scale, shift, kernel, kernelBias];
    }
}

/// <summary><see cref="NormConvolution"/> with its gradients. Its arguments: x,
/// γ, β, the weight, the bias if there is one, and ε.</summary>
internal sealed class NormConvolutionFunction : KernelFunction<NormConvolutionFunction>
{
    private const string EpsKey = "eps";

    protected override bool OwnsGradients => true;

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var (tensors, eps) = (arguments.OfType<Tensor>().ToList(), (double)arguments[^1]);
        var outputs = NormConvolution.Forward(tensors, eps);
        context.save_data(EpsKey, eps);
        context.save_for_backward([.. tensors, outputs[1], outputs[2]]);
        Beside(outputs[1], outputs[2]);
        return [outputs[0]];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var saved = context.get_saved_variables();
        var eps = (double)context.get_data(EpsKey);
        var tensors = saved.GetRange(0, saved.Count - 2);
        if (is_grad_enabled())
            return [.. KernelReference.Differentiate(i => [NormConvolution.Reference(i, eps)], tensors, [gradients[0]]), null];
        return [.. NormConvolution.Backward(tensors, saved[^2], saved[^1], eps, ChannelsLast.Of(gradients[0])), null];
    }
}
