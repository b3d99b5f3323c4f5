using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>
/// Real NVP's network of images as one kernel: a 3×3 convolution, residual blocks x + conv(relu(norm(conv(relu(norm(x)))))) of 3×3
/// convolutions, and a 1×1 convolution of relu of norm of the sum of 1×1 convolutions of what goes into and comes out of the blocks. All
/// weights are g · v/‖v‖.
/// </summary>
/// <remarks>It keeps what goes into each block, what is between its convolutions, and the sum; what normalizations give is computed again
/// for the gradients.</remarks>
/// <param name="Form">The order of the tensors.</param>
/// <param name="Norms">The normalizations, in the order in which they run; none if there are none.</param>
/// <param name="OfBatch">Whether they measure the batch, and keep its statistics unless <paramref name="Counts"/> is false.</param>
/// <param name="Counts">Whether the batch counts in the averages.</param>
internal sealed unsafe record ResidualNet(ResidualNetForm Form, IReadOnlyList<ImageNorm> Norms, bool OfBatch, bool Counts)
{
    /// <summary>Whether the kernel can run on these, and is worth it.</summary>
    public bool CanRun(IReadOnlyList<Tensor> t)
    {
        var x = t[0];
        if (!KernelSwitches.ResidualNet || !KernelSwitches.Winograd || !LaneWidth.ServesProducts || !ChannelsLast.CanRun(x)) return false;
        var (size, hidden) = (x.Sizes(), t[ResidualNetForm.FirstAt].size(0));
        if (hidden % Winograd.Channels != 0 || !Fit(t, size[1], hidden)) return false;
        foreach (var norm in Norms) if (!norm.CanRun(hidden)) return false;
        if (!OfBatch && Form.HasNorms && IsDifferentiable(t)) return false;
        // one value has no spread
        var pixels = size[0] * size[2] * size[3];
        return x.numel() > 0 && pixels > 1 && pixels * Math.Max(hidden, 9 * size[1]) < int.MaxValue / 2
            && ImageConvolution.IsFaster(size, [hidden, hidden, 3, 3]);
    }

    private bool Fit(IReadOnlyList<Tensor> t, long inputs, long hidden)
    {
        bool Conv(int at, long outputs, long from, long side, bool hasBias = true) =>
            KernelMemory.Is(t[at], ScalarType.Float32, outputs, from, side, side)
                && KernelMemory.Is(t[at + 1], ScalarType.Float32, outputs, 1, 1, 1)
                && (!hasBias || KernelMemory.Is(t[at + 2], ScalarType.Float32, outputs));
        bool Norm(int at) => !Form.HasNorms
            || (KernelMemory.Is(t[at], ScalarType.Float32, hidden) && KernelMemory.Is(t[at + 1], ScalarType.Float32, hidden));
        if (t.Count != Form.Count || !Conv(ResidualNetForm.FirstAt, hidden, inputs, 3) || !Conv(Form.SkipAt(0), hidden, hidden, 1)
                || !Norm(Form.LastAt - 2) || !Conv(Form.LastAt, t[Form.LastAt].size(0), hidden, 1))
            return false;
        for (var i = 0; i < Form.Blocks; i++)
            if (!(Norm(Form.InnerAt(i) - 2) && Conv(Form.InnerAt(i), hidden, hidden, 3, hasBias: !Form.HasNorms)
                    && Norm(Form.OuterAt(i) - 2) && Conv(Form.OuterAt(i), hidden, hidden, 3)
                    && Conv(Form.SkipAt(i + 1), hidden, hidden, 1)))
                return false;
        return true;
    }

    /// <summary>The output (N, O, H, W), channels last; the caller disposes it.</summary>
    public Tensor Run(IReadOnlyList<Tensor> tensors)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(IsDifferentiable(tensors) ? ResidualNetFunction.Apply([.. tensors, this])[0]
            : Forward(tensors, keep: false).Output);
    }

    /// <summary>The same in plain operations.</summary>
    public Tensor Reference(IReadOnlyList<Tensor> t)
    {
        Tensor Conv(int at, Tensor x, Tensor? bias)
        {
            var weight = WeightNorm.Reference(t[at], t[at + 1]);
            var padding = weight.size(2) / 2;
            return nn.functional.conv2d(x, weight, bias, padding: [padding, padding]);
        }
        Tensor Norm(int at, int index, Tensor x)
        {
            if (!Form.HasNorms) return x.relu();
            var norm = Norms[index];
            if (OfBatch) return NormRelu.Reference(x, t[at], t[at + 1], norm.Eps).Y;
            return nn.functional.batch_norm(x, norm.Mean, norm.Variance, t[at], t[at + 1], training: false, 0, norm.Eps).relu();
        }
        var h = Conv(ResidualNetForm.FirstAt, t[0], t[ResidualNetForm.FirstAt + 2]);
        var sum = Conv(Form.SkipAt(0), h, t[Form.SkipAt(0) + 2]);
        for (var i = 0; i < Form.Blocks; i++)
        {
            var (inner, outer, skip) = (Form.InnerAt(i), Form.OuterAt(i), Form.SkipAt(i + 1));
            var within = Conv(inner, Norm(inner - 2, 2 * i, h), Form.HasNorms ? null : t[inner + 2]);
            h = h.add(Conv(outer, Norm(outer - 2, (2 * i) + 1, within), t[outer + 2]), Scalars.One);
            sum = sum.add(Conv(skip, h, t[skip + 2]), Scalars.One);
        }
        return Conv(Form.LastAt, Norm(Form.LastAt - 2, 2 * Form.Blocks, sum), t[Form.LastAt + 2]);
    }

    /// <summary>The output; and, if they are to be kept for gradients, the images on the way and the statistics of the batch.</summary>
    internal (Tensor Output, Tensor? Images, Tensor? Statistics) Forward(IReadOnlyList<Tensor> t, bool keep)
    {
        var shape = Shape(t);
        var output = ChannelsLast.Empty(shape.N, shape.O, shape.H, shape.W);
        Tensor images = Floats(ResidualNetImages.Size(shape, keep)), padded = Padded(shape, t[0]);
        var statistics = OfBatch && Form.HasNorms ? Floats(Form.Norms, 2, shape.C) : null;
        var net = Numbers(shape, t, statistics);
        var kept = new ResidualNetImages(shape, At(images), keep);
        if (IsWide(shape)) ResidualNetForward.Run<Lanes512<float>>(shape, At(padded), net, OfBatch, kept, At(output));
        else ResidualNetForward.Run<Lanes256<float>>(shape, At(padded), net, OfBatch, kept, At(output));
        if (statistics is not null && Counts) Track(shape, At(statistics));
        GC.KeepAlive(t);
        GC.KeepAlive(padded);
        GC.KeepAlive(images);
        return (output, keep ? images : null, statistics);
    }

    /// <summary>The gradients of all tensors; that of x is null if it is not wanted.</summary>
    internal Tensor?[] Backward(IReadOnlyList<Tensor> t, Tensor images, Tensor? statistics, Tensor gradient)
    {
        var shape = Shape(t);
        var results = new Tensor?[Form.Count];
        for (var i = 1; i < results.Length; i++) results[i] = empty_like(t[i]);
        var (padded, taps) = (Padded(shape, t[0]), t[0].requires_grad ? Floats(shape.Pixels, shape.First.Stride) : null);
        var (g, net, result) = (ChannelsLast.Of(gradient), Numbers(shape, t, statistics), Numbers(shape, results, null));
        var kept = new ResidualNetImages(shape, At(images), keeps: true);
        if (IsWide(shape)) ResidualNetBackward.Run<Lanes512<float>>(shape, At(padded), net, kept, At(g), At(taps), result);
        else ResidualNetBackward.Run<Lanes256<float>>(shape, At(padded), net, kept, At(g), At(taps), result);
        if (taps is not null)
        {
            results[0] = empty([shape.N, shape.I, shape.H, shape.W], ScalarType.Float32, CPU);
            var each = (nint)shape.First.I * shape.First.H * shape.First.W;
            if (IsWide(shape)) ConvNetImages.Gather<Lanes512<float>>(shape.First, At(taps), At(results[0]), each, null);
            else ConvNetImages.Gather<Lanes256<float>>(shape.First, At(taps), At(results[0]), each, null);
        }
        GC.KeepAlive(t);
        GC.KeepAlive(images);
        GC.KeepAlive(statistics);
        GC.KeepAlive(g);
        GC.KeepAlive(padded);
        GC.KeepAlive(taps);
        return results;
    }

    private void Track(ResidualNetShape shape, float* statistics)
    {
        for (var i = 0; i < Form.Norms; i++)
        {
            var mean = statistics + (2L * i * shape.C);
            Norms[i].Track(mean, mean + shape.C, shape.Pixels);
        }
    }

    private static bool IsDifferentiable(IReadOnlyList<Tensor> tensors) => is_grad_enabled() && tensors.Any(t => t.requires_grad);

    private static bool IsWide(ResidualNetShape shape) => LaneWidth.Floats == 16 && shape.C % 16 == 0;

    private ResidualNetShape Shape(IReadOnlyList<Tensor> t)
    {
        var size = t[0].Sizes();
        return new((int)size[0], (int)size[1], (int)t[ResidualNetForm.FirstAt].size(0), (int)t[Form.LastAt].size(0), (int)size[2],
            (int)size[3], Form.Blocks);
    }

    private ResidualNetNumbers Numbers(ResidualNetShape shape, IReadOnlyList<Tensor?> t, Tensor? statistics)
    {
        var net = new ResidualNetNumbers(Form.Blocks)
        {
            First = Conv(t, ResidualNetForm.FirstAt, shape.C, shape.I, 9),
            Last = Conv(t, Form.LastAt, shape.O, shape.C, 1),
            LastNorm = Norm(t, Form.LastAt - 2, 2 * Form.Blocks, shape.C, statistics),
        };
        for (var i = 0; i <= Form.Blocks; i++) net.Skips[i] = Conv(t, Form.SkipAt(i), shape.C, shape.C, 1);
        for (var i = 0; i < Form.Blocks; i++)
        {
            net.Inner[i] = Conv(t, Form.InnerAt(i), shape.C, shape.C, 9, hasBias: !Form.HasNorms);
            net.Outer[i] = Conv(t, Form.OuterAt(i), shape.C, shape.C, 9);
            net.InnerNorms[i] = Norm(t, Form.InnerAt(i) - 2, 2 * i, shape.C, statistics);
            net.OuterNorms[i] = Norm(t, Form.OuterAt(i) - 2, (2 * i) + 1, shape.C, statistics);
        }
        return net;
    }

    private static NormedWeight Conv(IReadOnlyList<Tensor?> t, int at, int outputs, int inputs, int taps, bool hasBias = true) =>
        new(outputs, inputs, taps, At(t[at]), At(t[at + 1]), hasBias ? At(t[at + 2]) : null);

    private NormNumbers Norm(IReadOnlyList<Tensor?> t, int at, int index, int channels, Tensor? statistics)
    {
        if (!Form.HasNorms) return default;
        var norm = Norms[index];
        var mean = OfBatch ? At(statistics) : At(norm.Mean);
        if (OfBatch && mean != null) mean += 2L * index * channels;
        return new() { Weight = At(t[at]), Shift = At(t[at + 1]), Mean = mean,
            Variance = OfBatch ? mean == null ? null : mean + channels : At(norm.Variance), Eps = norm.Eps };
    }

    private static Tensor Padded(ResidualNetShape shape, Tensor x)
    {
        var padded = Floats(shape.First.PaddedSize);
        ConvNetImages.Pad(shape.First, At(x), x.Strides(), At(padded));
        GC.KeepAlive(x);
        return padded;
    }

    private static Tensor Floats(params long[] size) => empty(size, ScalarType.Float32, CPU);

    private static float* At(Tensor? tensor) => tensor is null ? null : KernelMemory.Pointer<float>(tensor);
}
