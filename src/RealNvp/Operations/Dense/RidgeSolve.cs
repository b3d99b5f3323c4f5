using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>Many small systems (G + λI)·γ = b, without gradients: the kernel on the CPU, and torch elsewhere.</summary>
internal static class RidgeSolve
{
    /// <summary>γ, (N, m), for G (N, m, m) and b (N, m). Runs in the caller's scope.</summary>
    /// <param name="gram">Symmetric and not negative.</param>
    /// <param name="right">The right sides.</param>
    /// <param name="ridge">λ as a part of the mean of each diagonal.</param>
    public static unsafe Tensor Run(Tensor gram, Tensor right, double ridge)
    {
        var (count, m) = (right.size(0), (int)right.size(1));
        if (gram.device_type != DeviceType.CPU || m > RidgeSystems.Most || gram.dtype is not (ScalarType.Float32 or ScalarType.Float64))
        {
            var added = gram.diagonal(0, 1, 2).mean([1L]).mul(Scalars.Of(ridge)).clamp_min(Scalars.Of(1e-30)).reshape(count, 1, 1);
            return linalg.solve(gram.add(eye(m, dtype: gram.dtype, device: gram.device).mul(added), Scalars.One),
                right.unsqueeze(2)).squeeze(2);
        }
        var (g, b, result) = (gram.contiguous(), right.contiguous(), empty([count, m], gram.dtype, gram.device));
        if (gram.dtype == ScalarType.Float32)
            RidgeSystems.Solve(KernelMemory.Pointer<float>(g), KernelMemory.Pointer<float>(b), KernelMemory.Pointer<float>(result), count,
                m, ridge);
        else
            RidgeSystems.Solve(KernelMemory.Pointer<double>(g), KernelMemory.Pointer<double>(b), KernelMemory.Pointer<double>(result),
                count, m, ridge);
        GC.KeepAlive(g);
        GC.KeepAlive(b);
        return result;
    }
}
