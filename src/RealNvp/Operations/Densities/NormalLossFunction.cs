using System.Numerics;
using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The mean of −log p over a batch, of latents with a standard normal density, as one node: the mean of
/// ½ Σ z² + D/2 log 2π − log|det|. Sums are in float64.</summary>
internal sealed class NormalLossFunction : KernelFunction<NormalLossFunction>
{
    /// <summary>The loss, without dimensions; null if it is one for plain operations. Runs in a dispose scope.</summary>
    /// <param name="z">Latents (N, ...), N of at least 1.</param>
    /// <param name="logDet">The log-determinants (N).</param>
    public static Tensor? Run(Tensor z, Tensor logDet)
    {
        if (!KernelSwitches.Loss || z.device_type != DeviceType.CPU || logDet.device_type != DeviceType.CPU || z.is_sparse
            || z.dtype is not (ScalarType.Float32 or ScalarType.Float64) || logDet.dtype != z.dtype || logDet.is_sparse
            || logDet.dim() != 1 || z.dim() == 0 || logDet.size(0) != z.size(0) || z.numel() == 0)
            return null;
        (z, logDet) = (z.contiguous(), logDet.contiguous());
        return is_grad_enabled() && (z.requires_grad || logDet.requires_grad) ? Apply(z, logDet)[0] : Forward(z, logDet);
    }

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var (z, logDet) = ((Tensor)arguments[0], (Tensor)arguments[1]);
        context.save_for_backward([z, logDet]);
        return [Forward(z, logDet)];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var saved = context.get_saved_variables();
        if (is_grad_enabled()) return KernelReference.Differentiate(inputs => [Reference(inputs[0], inputs[1])], saved, gradients);
        return saved[0].dtype == ScalarType.Float32 ? Backward<float>(saved[0], saved[1], gradients[0])
            : Backward<double>(saved[0], saved[1], gradients[0]);
    }

    private static Tensor Forward(Tensor z, Tensor logDet)
    {
        var loss = empty([], z.dtype, CPU);
        if (z.dtype == ScalarType.Float32) Forward<float>(z, logDet, loss);
        else Forward<double>(z, logDet, loss);
        return loss;
    }

    private static unsafe void Forward<T>(Tensor z, Tensor logDet, Tensor loss) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T* from = KernelMemory.Pointer<T>(z), det = KernelMemory.Pointer<T>(logDet);
        var (rows, count) = (logDet.numel(), z.numel());
        double first = 0, second = 0, dets = 0;
        // half before the square: it may pass the largest number where its half does not
        for (long i = 0; i < count - 1; i += 2)
        {
            double a = double.CreateTruncating(from[i]), b = double.CreateTruncating(from[i + 1]);
            first += 0.5 * a * a;
            second += 0.5 * b * b;
        }
        if (count % 2 != 0 && double.CreateTruncating(from[count - 1]) is var last) first += 0.5 * last * last;
        for (long row = 0; row < rows; row++) dets += double.CreateTruncating(det[row]);
        *KernelMemory.Pointer<T>(loss) =
            T.CreateTruncating(((first + second - dets) / rows) + (0.5 * (count / rows) * Math.Log(2 * Math.PI)));
        GC.KeepAlive(z);
        GC.KeepAlive(logDet);
    }

    private static unsafe List<Tensor?> Backward<T>(Tensor z, Tensor logDet, Tensor gradient)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var rows = logDet.numel();
        var slope = *KernelMemory.Pointer<T>(gradient) / T.CreateTruncating(rows);
        Tensor? ofLatents = null, ofDet = null;
        if (z.requires_grad)
        {
            ofLatents = empty_like(z);
            T* from = KernelMemory.Pointer<T>(z), to = KernelMemory.Pointer<T>(ofLatents);
            var count = z.numel();
            for (long i = 0; i < count; i++) to[i] = slope * from[i];
        }
        if (logDet.requires_grad)
        {
            ofDet = empty_like(logDet);
            new Span<T>(KernelMemory.Pointer<T>(ofDet), checked((int)rows)).Fill(-slope);
        }
        GC.KeepAlive(z);
        return [ofLatents, ofDet];
    }

    /// <summary>The same in plain operations.</summary>
    private static Tensor Reference(Tensor z, Tensor logDet)
    {
        var flat = z.flatten(1);
        var constant = Scalars.Of(0.5 * flat.size(1) * Math.Log(2 * Math.PI));
        return Gaussian.MinusHalfSquare(flat).sum(1).sub(constant).add(logDet, Scalars.One).mean().neg();
    }
}
