using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>What a batch normalization of images keeps beside its weights.</summary>
/// <param name="Mean">The running averages of μ (C).</param>
/// <param name="Variance">Those of σ² (C).</param>
/// <param name="Batches">The number of batches, one int64.</param>
/// <param name="Momentum">The weight of the past in the averages.</param>
/// <param name="Eps">ε.</param>
internal sealed record ImageNorm(Tensor Mean, Tensor Variance, Tensor Batches, double Momentum, double Eps)
{
    /// <summary>Whether a kernel may read and write the averages.</summary>
    public bool CanRun(long channels) => IsFloats(Mean, channels) && IsFloats(Variance, channels)
        && KernelMemory.IsContiguous(Batches) && Batches.dtype == ScalarType.Int64 && Batches.numel() == 1;

    /// <summary>Counts a batch: moves the averages towards its μ and its biased σ².</summary>
    /// <param name="mean">μ.</param>
    /// <param name="variance">σ².</param>
    /// <param name="elements">The elements of a channel, more than 1.</param>
    public unsafe void Track(float* mean, float* variance, double elements)
    {
        Move(Mean, mean, 1 - Momentum);
        Move(Variance, variance, (1 - Momentum) * elements / (elements - 1));
        ++*KernelMemory.Pointer<long>(Batches);
        GC.KeepAlive(this);
    }

    private unsafe void Move(Tensor average, float* value, double share)
    {
        var to = KernelMemory.Pointer<float>(average);
        var (past, now) = ((float)Momentum, (float)share);
        for (var c = 0; c < average.numel(); c++) to[c] = MathF.FusedMultiplyAdd(value[c], now, to[c] * past);
    }

    private static bool IsFloats(Tensor tensor, long count) => tensor.dtype == ScalarType.Float32 && KernelMemory.IsContiguous(tensor)
        && tensor.numel() == count;
}
