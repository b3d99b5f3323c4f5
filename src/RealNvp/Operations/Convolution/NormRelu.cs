using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>
/// y = relu(a·x + b) for each channel of images that lie channels last: batch normalization and relu in one. With the statistics of the
/// batch, a = γ/√(σ² + ε) and b = β − a·μ; forward reads x twice and backward once more than it must.
/// </summary>
internal static unsafe class NormRelu
{
    /// <summary>Whether the kernel can run on x.</summary>
    public static bool CanRun(Tensor x, Tensor weight, Tensor bias) =>
        KernelSwitches.Image && ChannelsLast.Is(x) && x.size(1) >= 8 && x.numel() > 0
            && KernelMemory.Is(weight, ScalarType.Float32, x.size(1)) && KernelMemory.Is(bias, ScalarType.Float32, x.size(1));

    /// <summary>y for statistics that are known; without gradients.</summary>
    public static Tensor Known(Tensor x, Tensor mean, Tensor variance, Tensor weight, Tensor bias, double eps)
    {
        var y = Like(x);
        Known(x, mean, variance, weight, bias, eps, KernelMemory.Pointer<float>(y));
        return y;
    }

    /// <summary>The same into memory for (N, H, W, C).</summary>
    public static void Known(Tensor x, Tensor mean, Tensor variance, Tensor weight, Tensor bias, double eps, float* y)
    {
        NormRows.Run(At(x), y, Rows(x), Channels(x), Line(mean, variance, weight, bias, eps));
        GC.KeepAlive(x);
    }

    /// <summary>y with the statistics of the batch.</summary>
    /// <returns>y, and μ and the biased σ² of shape (C).</returns>
    public static List<Tensor> Batch(Tensor x, Tensor weight, Tensor bias, double eps)
    {
        var y = Like(x);
        var (mean, variance) = Batch(x, weight, bias, eps, KernelMemory.Pointer<float>(y));
        return [y, mean, variance];
    }

    /// <summary>The same into memory for (N, H, W, C).</summary>
    public static (Tensor Mean, Tensor Variance) Batch(Tensor x, Tensor weight, Tensor bias, double eps, float* y)
    {
        var channels = Channels(x);
        Tensor mean = empty(channels, dtype: ScalarType.Float32, device: CPU),
            variance = empty(channels, dtype: ScalarType.Float32, device: CPU);
        NormRows.Moments(At(x), Rows(x), channels, At(mean), At(variance));
        NormRows.Run(At(x), y, Rows(x), channels, Line(mean, variance, weight, bias, eps));
        GC.KeepAlive(x);
        return (mean, variance);
    }

    /// <summary>The gradients of x, weight and bias for <see cref="Batch(Tensor, Tensor, Tensor, double)"/>.</summary>
    public static (Tensor X, Tensor Weight, Tensor Bias) Backward(Tensor x, Tensor weight, Tensor bias, Tensor mean, Tensor variance,
        double eps, Tensor gradient)
    {
        var result = Backward(x, weight, bias, mean, variance, eps, KernelMemory.Pointer<float>(gradient));
        GC.KeepAlive(gradient);
        return result;
    }

    /// <summary>The same from a gradient (N, H, W, C) in memory.</summary>
    public static (Tensor X, Tensor Weight, Tensor Bias) Backward(Tensor x, Tensor weight, Tensor bias, Tensor mean, Tensor variance,
        double eps, float* pg)
    {
        var dx = Like(x);
        Tensor dWeight = empty_like(weight), dBias = empty_like(bias);
        NormRows.Backward(At(x), pg, At(dx), null, Rows(x), Channels(x), Line(mean, variance, weight, bias, eps), At(mean), At(variance),
            eps, At(dWeight), At(dBias));
        GC.KeepAlive(x);
        GC.KeepAlive(mean);
        GC.KeepAlive(variance);
        return (dx, dWeight, dBias);
    }

    internal static (Tensor Y, Tensor Mean, Tensor Variance) Reference(Tensor x, Tensor weight, Tensor bias, double eps)
    {
        var (mean, variance) = RunningMoments.Of(x, null);
        var a = variance.add(Scalars.Of(eps), Scalars.One).rsqrt().mul(weight);
        var centred = x.sub(RunningMoments.PerChannel(mean, 4));
        return (centred.mul(RunningMoments.PerChannel(a, 4)).add(RunningMoments.PerChannel(bias, 4), Scalars.One).relu(), mean, variance);
    }

    private static float[] Line(Tensor mean, Tensor variance, Tensor weight, Tensor bias, double eps)
    {
        var line = NormRows.Line(At(mean), At(variance), At(weight), At(bias), eps, (int)weight.numel());
        GC.KeepAlive(mean);
        GC.KeepAlive(variance);
        GC.KeepAlive(weight);
        GC.KeepAlive(bias);
        return line;
    }

    private static Tensor Like(Tensor x)
    {
        var size = x.Sizes();
        return ChannelsLast.Empty(size[0], size[1], size[2], size[3]);
    }

    private static int Channels(Tensor x) => (int)x.size(1);

    private static long Rows(Tensor x) => x.numel() / x.size(1);

    private static float* At(Tensor tensor) => KernelMemory.Pointer<float>(tensor);
}

/// <summary><see cref="NormRelu.Batch(Tensor, Tensor, Tensor, double)"/> with its gradient: y, and the statistics without one.</summary>
internal sealed class NormReluFunction : KernelFunction<NormReluFunction>
{
    private const string EpsKey = "eps";

    protected override bool OwnsGradients => true;

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var (x, weight, bias, eps) = ((Tensor)arguments[0], (Tensor)arguments[1], (Tensor)arguments[2], (double)arguments[3]);
        var outputs = NormRelu.Batch(x, weight, bias, eps);
        context.save_data(EpsKey, eps);
        context.save_for_backward([x, weight, bias, outputs[1], outputs[2]]);
        Beside(outputs[1], outputs[2]);
        return [outputs[0]];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var saved = context.get_saved_variables();
        var eps = (double)context.get_data(EpsKey);
        if (is_grad_enabled())
            return [.. KernelReference.Differentiate(i => [NormRelu.Reference(i[0], i[1], i[2], eps).Y], [.. saved.Take(3)],
                [gradients[0]]), null];
        var (x, weight, bias) = NormRelu.Backward(saved[0], saved[1], saved[2], saved[3], saved[4], eps, ChannelsLast.Of(gradients[0]));
        return [x, weight, bias, null];
    }
}
