using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>3×3 convolutions of stride 1 that keep the size of the image.</summary>
internal static class ImageConvolution
{
    /// <summary>Convolves (N, C, H, W) to (N, K, H, W); the caller disposes the result.</summary>
    /// <param name="input">(N, C, H, W), of any layout.</param>
    /// <param name="weight">(K, C, 3, 3).</param>
    /// <param name="bias">(K), or null.</param>
    /// <param name="border">What is around the image.</param>
    public static Tensor Apply(Tensor input, Tensor weight, Tensor? bias, float border = 0) =>
        ShouldRun(input, weight, bias) ? Fast(input, weight, bias, border) : Reference(input, weight, bias, border);

    /// <summary>Whether <see cref="Winograd"/> can run on these tensors, and is faster.</summary>
    public static bool ShouldRun(Tensor input, Tensor weight, Tensor? bias) =>
        CanRun(input, weight, bias) && IsFaster(input.Sizes(), weight.Sizes());

    /// <summary><see cref="Winograd"/> on tensors that <see cref="CanRun"/> allows, however small they are.</summary>
    internal static Tensor Fast(Tensor input, Tensor weight, Tensor? bias, float border)
    {
        using var scope = NewDisposeScope();
        var x = ChannelsLast.Of(input);
        var w = Winograd.HasEvenTaps(weight) ? weight : weight.contiguous();
        var differentiable = is_grad_enabled() && (x.requires_grad || w.requires_grad || bias is { requires_grad: true });
        if (!differentiable) return scope.MoveToOuter(Winograd.Forward(x, w, bias, border));
        return scope.MoveToOuter((bias is null ? WinogradFunction.Apply(x, w, border) : WinogradFunction.Apply(x, w, bias, border))[0]);
    }

    /// <summary>The same in plain operations.</summary>
    internal static Tensor Reference(Tensor input, Tensor weight, Tensor? bias, float border)
    {
        if (border == 0) return nn.functional.conv2d(input, weight, bias, padding: [1, 1]);
        using var padded = nn.functional.pad(input, [1, 1, 1, 1], PaddingModes.Constant, border);
        return nn.functional.conv2d(padded, weight, bias);
    }

    /// <summary>Whether the kernel can run on these tensors.</summary>
    internal static bool CanRun(Tensor input, Tensor weight, Tensor? bias)
    {
        if (!KernelSwitches.Winograd || !LaneWidth.ServesProducts || !ChannelsLast.CanRun(input) || !ChannelsLast.CanRun(weight))
            return false;
        var (size, kernel) = (input.Sizes(), weight.Sizes());
        if (kernel[2] != 3 || kernel[3] != 3 || size[1] != kernel[1] || Math.Min(kernel[0], kernel[1]) < Winograd.Channels) return false;
        if (bias is not null && !(bias.dtype == ScalarType.Float32 && KernelMemory.IsContiguous(bias) && bias.dim() == 1
                && bias.size(0) == kernel[0]))
            return false;
        return input.numel() > 0 && Math.Max(size[0] * (size[2] + 1) * (size[3] + 1), Math.Max(kernel[0], kernel[1])) < int.MaxValue / 2;
    }

    // few tiles don't pay for the transform of the weights, and few products not for those of the images
    internal static bool IsFaster(long[] size, long[] kernel) => size[0] * ((size[2] + 1) / 2) * ((size[3] + 1) / 2) >= 96
        && kernel[0] * kernel[1] >= 1024;
}
