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
    // rows (pixels) that are summed in float32 before float64 takes over: the sums do not depend on the number of threads
    private const int ChunkRows = 256;

    /// <summary>Whether the kernel can run on x.</summary>
    public static bool CanRun(Tensor x, Tensor weight) =>
        KernelSwitches.Image && ChannelsLast.Is(x) && x.shape[1] >= 8 && x.numel() > 0 && weight.dtype == ScalarType.Float32
            && weight.numel() == x.shape[1];

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
        var channels = (int)x.shape[1];
        Scale(x, y, Coefficients(mean, variance, weight, bias, eps, channels), channels);
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
        var channels = (int)x.shape[1];
        var rows = x.numel() / channels;
        Tensor mean = empty(channels, dtype: ScalarType.Float32, device: CPU),
            variance = empty(channels, dtype: ScalarType.Float32, device: CPU);
        float* px = KernelMemory.Pointer<float>(x), m = KernelMemory.Pointer<float>(mean), v = KernelMemory.Pointer<float>(variance);
        // sums of the distance from about the mean lose nothing where the mean is large against the spread
        var about = new float[channels];
        ImageRows.FirstMean(px, (int)Math.Min(rows, 64), channels, about);
        var sums = ImageRows.Sum(rows, channels, ChunkRows, (start, count, into) => ImageRows.AddSquares(px + (start * channels), count,
            channels, about, into));
        for (var c = 0; c < channels; c++)
        {
            var off = sums[c] / rows;
            m[c] = (float)(about[c] + off);
            v[c] = (float)Math.Max(0, (sums[channels + c] / rows) - (off * off));
        }
        Scale(x, y, Coefficients(mean, variance, weight, bias, eps, channels), channels);
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
        var channels = (int)x.shape[1];
        var rows = x.numel() / channels;
        var dx = Like(x);
        Tensor dWeight = empty_like(weight), dBias = empty_like(bias);
        float* px = KernelMemory.Pointer<float>(x), pdx = KernelMemory.Pointer<float>(dx);
        float* m = KernelMemory.Pointer<float>(mean), v = KernelMemory.Pointer<float>(variance), dw = KernelMemory.Pointer<float>(dWeight),
            db = KernelMemory.Pointer<float>(dBias);
        var line = Coefficients(mean, variance, weight, bias, eps, channels);
        var means = new ReadOnlySpan<float>(m, channels).ToArray();
        var sums = ImageRows.Sum(rows, channels, ChunkRows, (start, count, into) =>
            ImageRows.AddGradients(px + (start * channels), pg + (start * channels), count, channels, line, means, into));
        // dx = a (g − Σg/M − x̂ Σ(g x̂)/M) with x̂ = (x − μ)/√(σ² + ε), as a·g + p·x + q
        var terms = new float[2 * channels];
        for (var c = 0; c < channels; c++)
        {
            var scale = 1 / Math.Sqrt(v[c] + eps);
            var along = sums[channels + c] * scale;
            (dw[c], db[c]) = ((float)along, (float)sums[c]);
            var p = -line[c] * along * scale / rows;
            (terms[c], terms[channels + c]) = ((float)p, (float)((-line[c] * sums[c] / rows) - (p * m[c])));
        }
        KernelThreads.For(rows, (double)rows * channels, 1 << 16, (start, end) =>
            ImageRows.InputGradient(px + (start * channels), pg + (start * channels), pdx + (start * channels), (int)(end - start),
                channels, line, terms));
        GC.KeepAlive(x);
        return (dx, dWeight, dBias);
    }

    internal static (Tensor Y, Tensor Mean, Tensor Variance) Reference(Tensor x, Tensor weight, Tensor bias, double eps)
    {
        var (mean, variance) = RunningMoments.Of(x, null);
        var a = variance.add(Scalars.Of(eps), Scalars.One).rsqrt().mul(weight);
        var centred = x.sub(RunningMoments.PerChannel(mean, 4));
        return (centred.mul(RunningMoments.PerChannel(a, 4)).add(RunningMoments.PerChannel(bias, 4), Scalars.One).relu(), mean, variance);
    }

    private static float[] Coefficients(Tensor mean, Tensor variance, Tensor weight, Tensor bias, double eps, int channels)
    {
        var line = new float[2 * channels];
        float* m = KernelMemory.Pointer<float>(mean), v = KernelMemory.Pointer<float>(variance), g = KernelMemory.Pointer<float>(weight),
            s = KernelMemory.Pointer<float>(bias);
        for (var c = 0; c < channels; c++)
        {
            var a = g[c] / Math.Sqrt(v[c] + eps);
            (line[c], line[channels + c]) = ((float)a, (float)(s[c] - (m[c] * a)));
        }
        GC.KeepAlive(mean);
        GC.KeepAlive(variance);
        GC.KeepAlive(weight);
        GC.KeepAlive(bias);
        return line;
    }

    private static Tensor Like(Tensor x)
    {
        var size = x.shape;
        return ChannelsLast.Empty(size[0], size[1], size[2], size[3]);
    }

    private static void Scale(Tensor x, float* py, float[] line, int channels)
    {
        var px = KernelMemory.Pointer<float>(x);
        var rows = x.numel() / channels;
        KernelThreads.For(rows, (double)rows * channels, 1 << 16, (start, end) =>
            ImageRows.ScaleRelu(px + (start * channels), py + (start * channels), (int)(end - start), channels, line));
        GC.KeepAlive(x);
    }
}

/// <summary><see cref="NormRelu.Batch(Tensor, Tensor, Tensor, double)"/> with its gradient: y, and the statistics without one.</summary>
internal sealed class NormReluFunction : KernelFunction<NormReluFunction>
{
    private const string EpsKey = "eps";

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
