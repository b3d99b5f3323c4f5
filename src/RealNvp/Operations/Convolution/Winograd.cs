using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>3×3 convolutions of stride 1 that keep the size, on tensors, with 2.25 times fewer multiplications than a direct one.</summary>
/// <remarks>
/// Images lie <see cref="ChannelsLast"/>. Sums of products in the transformed domain are up to about 10 times as large as
/// their result, so they overflow as much earlier; the rounding error is about that of a direct convolution or smaller.
/// </remarks>
internal static unsafe class Winograd
{
    /// <summary>The fewest channels on either side: half of the widest vector.</summary>
    public const int Channels = 8;

    /// <summary>The convolution; without a graph.</summary>
    /// <param name="input">(N, C, H, W), channels last, not empty.</param>
    /// <param name="weight">(K, C, 3, 3), of even taps.</param>
    /// <param name="bias">(K), or null.</param>
    /// <param name="border">What is around the input.</param>
    public static Tensor Forward(Tensor input, Tensor weight, Tensor? bias, float border)
    {
        var shape = Shape(input, weight);
        var output = ChannelsLast.Empty(shape.N, shape.K, shape.H, shape.W);
        Convolve(shape, KernelMemory.Pointer<float>(input), border, Weight(weight), bias is null ? null
            : KernelMemory.Pointer<float>(bias), KernelMemory.Pointer<float>(output));
        GC.KeepAlive(input);
        GC.KeepAlive(weight);
        GC.KeepAlive(bias);
        return output;
    }

    /// <summary>The gradient of the input.</summary>
    public static Tensor InputGradient(Tensor input, Tensor weight, Tensor gradient)
    {
        var shape = Shape(input, weight);
        var result = ChannelsLast.Empty(shape.N, shape.C, shape.H, shape.W);
        Convolve(shape.Reversed, KernelMemory.Pointer<float>(gradient), 0, Weight(weight).Reversed, null,
            KernelMemory.Pointer<float>(result));
        GC.KeepAlive(weight);
        GC.KeepAlive(gradient);
        return result;
    }

    /// <summary>The gradient of the weight, in the layout of the weight, and
    /// that of the bias unless <paramref name="hasBias"/> is false.</summary>
    public static (Tensor Weight, Tensor? Bias) WeightGradient(Tensor input, Tensor weight, bool hasBias, float border, Tensor gradient)
    {
        var result = WeightGradient(Shape(input, weight), KernelMemory.Pointer<float>(input), weight, hasBias, border, gradient);
        GC.KeepAlive(input);
        return result;
    }

    /// <summary>The same for an input (N, H, W, C) that is no tensor.</summary>
    public static (Tensor Weight, Tensor? Bias) WeightGradient(WinogradShape shape, float* x, Tensor weight, bool hasBias, float border,
        Tensor gradient)
    {
        var result = ChannelsLast.Is(weight) ? ChannelsLast.Empty(shape.K, shape.C, 3, 3)
            : empty([shape.K, shape.C, 3, 3], ScalarType.Float32, CPU);
        var bias = hasBias ? empty([shape.K], ScalarType.Float32, CPU) : null;
        float* g = KernelMemory.Pointer<float>(gradient), b = bias is null ? null : KernelMemory.Pointer<float>(bias);
        if (IsWide) WinogradBackward.Run<Lanes512<float>>(shape, x, border, g, Weight(result), b);
        else WinogradBackward.Run<Lanes256<float>>(shape, x, border, g, Weight(result), b);
        GC.KeepAlive(gradient);
        return (result, bias);
    }

    /// <summary>Whether all taps of a weight are as far apart as two of one row.</summary>
    public static bool HasEvenTaps(Tensor weight) => weight.stride(2) == 3 * weight.stride(3);

    /// <summary>The convolution on memory: (N, H, W, C) to (N, H, W, K).</summary>
    public static void Convolve(WinogradShape shape, float* input, float border, WinogradWeight weight, float* bias, float* output)
    {
        if (IsWide) WinogradForward.Run<Lanes512<float>>(shape, input, border, weight, bias, null, output);
        else WinogradForward.Run<Lanes256<float>>(shape, input, border, weight, bias, null, output);
    }

    private static bool IsWide => LaneWidth.Floats == 16;

    /// <summary>The sizes for an input and a weight.</summary>
    public static WinogradShape Shape(Tensor input, Tensor weight)
    {
        var size = input.Sizes();
        return new WinogradShape((int)size[0], (int)size[1], (int)weight.size(0), (int)size[2], (int)size[3]);
    }

    /// <summary>Where a weight lies.</summary>
    public static WinogradWeight Weight(Tensor weight)
    {
        var stride = weight.Strides();
        return new((nint)KernelMemory.Pointer<float>(weight), (nint)stride[0], (nint)stride[1], (nint)stride[3]);
    }
}
