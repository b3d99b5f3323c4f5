using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>
/// Glow's network as one kernel: (3×3 ∘ relu ∘ 1×1 ∘ relu ∘ 3×3)·exp(3·scale). The first two convolutions are products
/// of matrices, block of pixels by block; the last one is <see cref="Winograd"/>'s, with its scale in the weights.
/// </summary>
/// <remarks>Tensors come in this order: x (N, I, H, W), weight and bias of the
/// first, the second and the last convolution, scale (1, O, 1, 1).</remarks>
internal static unsafe class ConvNet
{
    /// <summary>The number of tensors.</summary>
    public const int Count = 8;

    private static readonly Scalar speed = Scalars.Of(ConvNetWeights.Speed), limit = Scalars.Of(ConvNetWeights.Limit),
        minusLimit = Scalars.Of(-ConvNetWeights.Limit);

    /// <summary>exp(3·scale), limited: what the last convolution is multiplied by.</summary>
    public static Tensor Factor(Tensor scale) => scale.clamp(minusLimit, limit).mul(speed).exp();

    /// <summary>Whether the kernel can run on these.</summary>
    public static bool CanRun(IReadOnlyList<Tensor> tensors) => CanRun(tensors, tensors[0].dim() == 4 ? tensors[0].size(1) : 0);

    /// <summary>The same, if it reads so many channels of x.</summary>
    public static bool CanRun(IReadOnlyList<Tensor> tensors, long channels)
    {
        var x = tensors[0];
        if (!KernelSwitches.ConvNet || !LaneWidth.ServesProducts || !ChannelsLast.CanRun(x)) return false;
        var (size, inputs, outputs) = (x.Sizes(), tensors[1].Sizes(), tensors[5].Sizes());
        if (channels > size[1] || inputs.Length != 4 || outputs.Length != 4) return false;
        bool Fits(int at, params ReadOnlySpan<long> shape) => KernelMemory.Is(tensors[at], ScalarType.Float32, shape);
        var (m, o) = (inputs[0], outputs[0]);
        if (!(Fits(1, m, channels, 3, 3) && Fits(2, m) && Fits(3, m, m, 1, 1) && Fits(4, m) && Fits(5, o, m, 3, 3) && Fits(6, o)
                && tensors[7].numel() == o && Fits(7, tensors[7].Sizes())))
            return false;
        if (m % Winograd.Channels != 0 || o < Winograd.Channels) return false;
        var pixels = size[0] * (size[2] + 2) * (size[3] + 2);
        return x.numel() > 0 && pixels < int.MaxValue / 2
            && (m * (m + (9 * channels) + (9 * o))) + (pixels * 9) < int.MaxValue / 2;
    }

    /// <summary>The output (N, O, H, W), channels last, with gradients if they are wanted; the caller disposes it.</summary>
    public static Tensor Run(params Tensor[] tensors)
    {
        using var scope = NewDisposeScope();
        var differentiable = is_grad_enabled() && tensors.Any(t => t.requires_grad);
        return scope.MoveToOuter(differentiable ? ConvNetFunction.Apply([.. tensors])[0] : Forward(tensors, keep: false).Output);
    }

    /// <summary>The same in plain operations.</summary>
    public static Tensor Reference(IReadOnlyList<Tensor> t)
    {
        var h = nn.functional.conv2d(t[0], t[1], t[2], padding: [1, 1]).relu();
        h = nn.functional.conv2d(h, t[3], t[4]).relu();
        return ImageConvolution.Reference(h, t[5], t[6], 1).mul(Factor(t[7]));
    }

    /// <summary>The output, and relu of both inner layers (pixels, M), the
    /// first of them only where both are to be kept for gradients.</summary>
    /// <param name="tensors">The tensors.</param>
    /// <param name="keep">Whether they are to be kept.</param>
    internal static (Tensor Output, Tensor? Inner, Tensor Outer) Forward(IReadOnlyList<Tensor> tensors, bool keep)
    {
        var shape = Shape(tensors);
        var output = ChannelsLast.Empty(shape.N, shape.O, shape.H, shape.W);
        var (inner, outer) = (keep ? Floats(shape.Pixels, shape.M) : null, Floats(shape.Pixels, shape.M));
        Forward(shape, At(tensors[0]), tensors[0].Strides(), Weights(tensors), At(inner), At(outer), At(output));
        GC.KeepAlive(tensors);
        return (output, inner, outer);
    }

    /// <summary>The same on memory.</summary>
    /// <param name="shape">The sizes.</param>
    /// <param name="x">The first number of the images.</param>
    /// <param name="strides">The distances between their numbers.</param>
    /// <param name="weights">The weights.</param>
    /// <param name="inner">Gets relu of the first layer, unless it is null.</param>
    /// <param name="outer">Gets relu of the second layer.</param>
    /// <param name="output">Gets (N, H, W, O).</param>
    internal static void Forward(ConvNetShape shape, float* x, ReadOnlySpan<long> strides, ConvNetWeights weights, float* inner,
        float* outer, float* output)
    {
        Room(shape, out var padded, out var last);
        ConvNetImages.Pad(shape, x, strides, padded);
        weights.ScaleLast(shape, last);
        if (IsWide(shape)) ConvNetForward.Run<Lanes512<float>>(shape, padded, weights, last, inner, outer, output);
        else ConvNetForward.Run<Lanes256<float>>(shape, padded, weights, last, inner, outer, output);
    }

    /// <summary>The gradients of the tensors, those of the weights or that of x being null
    /// where <paramref name="ofWeights"/> or <paramref name="ofImages"/> is false.</summary>
    internal static Tensor?[] Backward(IReadOnlyList<Tensor> tensors, Tensor inner, Tensor outer, Tensor gradient, bool ofImages,
        bool ofWeights)
    {
        var shape = Shape(tensors);
        var results = new Tensor?[Count];
        if (ofImages) results[0] = Floats(shape.N, shape.I, shape.H, shape.W);
        for (var i = 1; i < Count && ofWeights; i++) results[i] = empty_like(tensors[i]);
        var g = ChannelsLast.Of(gradient);
        using var room = new KernelRoom(shape.BackwardRoom(ofImages));
        Backward(shape, At(tensors[0]), tensors[0].Strides(), Weights(tensors), At(inner), At(outer), At(g),
            new() { To = At(results[0]), Apart = (nint)shape.I * shape.H * shape.W }, Weights(results), room.Memory);
        GC.KeepAlive(tensors);
        GC.KeepAlive(inner);
        GC.KeepAlive(outer);
        GC.KeepAlive(g);
        return results;
    }

    /// <summary>Where the gradient of the images goes.</summary>
    internal struct ImageGradient
    {
        /// <summary>Gets it, planes one after the other; null if it is not wanted.</summary>
        public float* To;

        /// <summary>From one image of it to the next.</summary>
        public nint Apart;

        /// <summary>Added to it, of the same distances; or null.</summary>
        public float* Addend;
    }

    /// <summary>The gradients on memory.</summary>
    /// <param name="shape">The sizes.</param>
    /// <param name="x">The first number of the images.</param>
    /// <param name="strides">The distances between their numbers.</param>
    /// <param name="weights">The weights.</param>
    /// <param name="inner">Relu of the first layer.</param>
    /// <param name="outer">Relu of the second layer.</param>
    /// <param name="gradient">That of the output (N, H, W, O).</param>
    /// <param name="images">Where the gradient of the images goes.</param>
    /// <param name="results">Get those of the weights; all are null, or none.</param>
    /// <param name="room">Memory of <see cref="ConvNetShape.BackwardRoom"/>.</param>
    internal static void Backward(ConvNetShape shape, float* x, ReadOnlySpan<long> strides, ConvNetWeights weights, float* inner,
        float* outer, float* gradient, ImageGradient images, ConvNetWeights results, float* room)
    {
        if (IsWide(shape)) Backward<Lanes512<float>>(shape, x, strides, weights, inner, outer, gradient, images, results, room);
        else Backward<Lanes256<float>>(shape, x, strides, weights, inner, outer, gradient, images, results, room);
    }

    private static void Backward<TLanes>(ConvNetShape shape, float* x, ReadOnlySpan<long> strides, ConvNetWeights weights, float* inner,
        float* outer, float* gradient, ImageGradient images, ConvNetWeights results, float* ofOuter)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var taps = images.To == null ? null : ofOuter + shape.InnerSize;
        Room(shape, out var padded, out var last);
        if (results.First != null) ConvNetImages.Pad(shape, x, strides, padded);
        weights.ScaleLast(shape, last);
        WinogradForward.Run<TLanes>(shape.Last.Reversed, gradient, 0, ConvNetWeights.Taps(last, shape.M).Reversed, null, null, ofOuter);
        if (results.First != null)
        {
            WinogradBackward.Run<TLanes>(shape.Last, outer, 1, gradient, ConvNetWeights.Taps(results.Last, shape.M), results.LastBias);
            weights.UnscaleLast(shape, results.Last, results.LastBias, results.Scale);
        }
        ConvNetBackward.Run<TLanes>(shape, padded, weights, inner, outer, ofOuter, taps, results);
        if (taps != null) ConvNetImages.Gather<TLanes>(shape, taps, images.To, images.Apart, images.Addend);
    }

    // hidden channels are whole vectors
    private static bool IsWide(ConvNetShape shape) => LaneWidth.Floats == 16 && shape.M % 16 == 0;

    private static ConvNetShape Shape(IReadOnlyList<Tensor> tensors)
    {
        var (size, first) = (tensors[0].Sizes(), tensors[1].Sizes());
        return new((int)size[0], (int)first[1], (int)first[0], (int)tensors[5].size(0), (int)size[2], (int)size[3]);
    }

    private static ConvNetWeights Weights(IReadOnlyList<Tensor?> t)
    {
        var pointers = stackalloc float*[Count - 1];
        for (var i = 1; i < Count; i++) pointers[i - 1] = At(t[i]);
        return ConvNetWeights.Of(pointers);
    }

    // for the images with their border, and for the last weight with its scale
    private static void Room(ConvNetShape shape, out float* padded, out float* last)
    {
        var size = (shape.PaddedSize + 15) / 16 * 16;
        padded = KernelScratch.Held(size + ConvNetWeights.LastSize(shape));
        last = padded + size;
    }

    private static Tensor Floats(params long[] size) => empty(size, ScalarType.Float32, CPU);

    private static float* At(Tensor? tensor) => tensor is null ? null : KernelMemory.Pointer<float>(tensor);
}
