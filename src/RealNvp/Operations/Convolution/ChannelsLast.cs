using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>
/// Images (N, C, H, W) that lie in memory as (N, H, W, C): what the CPU's convolutions compute
/// in without a copy. Convolutions, sums and relus of such tensors give such tensors.
/// </summary>
internal static class ChannelsLast
{
    /// <summary>Whether kernels for this layout can run: they are on, and it is
    /// a float32 image on the CPU. A network then computes in it.</summary>
    public static bool CanRun(Tensor x) =>
        KernelSwitches.Image && x.dtype == ScalarType.Float32 && x.device_type == DeviceType.CPU && !x.is_sparse && x.dim() == 4;

    /// <summary>Whether it is a float32 image on the CPU that lies so, as one block.</summary>
    public static bool Is(Tensor x)
    {
        if (x.dtype != ScalarType.Float32 || x.device_type != DeviceType.CPU || x.is_sparse || x.dim() != 4) return false;
        var (size, stride) = (x.Sizes(), x.Strides());
        return stride[1] == 1 && stride[3] == size[1] && stride[2] == size[1] * size[3]
            && (size[0] == 1 || stride[0] == size[1] * size[2] * size[3]);
    }

    /// <summary>The tensor itself where it lies so, or a copy that does; differentiable.</summary>
    public static Tensor Of(Tensor x) => Is(x) ? x : x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);

    /// <summary>New memory for an image (N, C, H, W) or a weight (O, I, k, k).</summary>
    public static Tensor Empty(long n, long c, long h, long w) =>
        empty_strided([n, c, h, w], [c * h * w, 1, c * w, c], dtype: ScalarType.Float32, device: CPU);
}
