using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Convolutions in the map of a bijection itself, to the last digits of the dtype.</summary>
/// <remarks>
/// On a GPU libtorch lets convolutions round their inputs to TF32, 10 bits, unless the whole process says
/// otherwise; products of matrices keep all digits. A map would then differ from its inverse and its
/// log-determinant by 5e-4. Networks may convolve as they like: both directions compute the same network.
/// </remarks>
internal static class ExactConvolution
{
    /// <summary>Correlates images with a kernel, without padding: (N, C, H, W) and (O, C, d, e) → (N, O, H − d + 1, W − e + 1).</summary>
    public static Tensor Apply(Tensor x, Tensor kernel) => x.device_type == DeviceType.CPU ? nn.functional.conv2d(x, kernel)
        : ByProducts(x, kernel);

    /// <summary>The same as one product of matrices, with a copy of the image for each place of the kernel.</summary>
    public static Tensor ByProducts(Tensor x, Tensor kernel)
    {
        var (outputs, height, width) = (kernel.shape[0], kernel.shape[2], kernel.shape[3]);
        var (rows, columns) = (x.shape[2] - height + 1, x.shape[3] - width + 1);
        Tensor[] shifted = [.. from i in Enumerable.Range(0, (int)height) from j in Enumerable.Range(0, (int)width) select x.narrow(2, i,
            rows).narrow(3, j, columns).flatten(2)];
        // places before channels, as in the list of shifted images
        var matrix = kernel.permute(0, 2, 3, 1).reshape(outputs, -1);
        return matrix.unsqueeze(0).expand(x.shape[0], -1, -1).bmm(shifted.Length == 1 ? shifted[0]
            : cat(shifted, 1)).reshape(x.shape[0], outputs, rows, columns);
    }
}
