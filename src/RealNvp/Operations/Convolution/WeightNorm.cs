using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The weight w = g · v/‖v‖ of a convolution with weight normalization.</summary>
internal static class WeightNorm
{
    // a direction of length 0 has no norm to divide by; the small floor keeps it and its gradient finite
    internal const float SmallestSquare = 1e-30f;

    /// <summary>w of the shape of v. In one pass, channels last, where
    /// <paramref name="fused"/>; the same with plain tensors where not.</summary>
    /// <param name="v">(O, I, k, k).</param>
    /// <param name="g">(O, 1, 1, 1).</param>
    /// <param name="fused">Whether kernels may run.</param>
    public static Tensor Of(Tensor v, Tensor g, bool fused)
    {
        if (!fused || v.dtype != ScalarType.Float32 || g.dtype != ScalarType.Float32 || !KernelMemory.IsContiguous(v)
                || !KernelMemory.IsContiguous(g))
            return Reference(v, g);
        return is_grad_enabled() && (v.requires_grad || g.requires_grad) ? WeightNormFunction.Apply(v, g)[0] : Forward(v, g);
    }

    public static Tensor Norm(Tensor v) => v.mul(v).sum([1, 2, 3], keepdim: true).clamp_min(Scalars.Of(SmallestSquare)).sqrt();

    internal static Tensor Reference(Tensor v, Tensor g) => v.mul(g.div(Norm(v)));

    internal static unsafe Tensor Forward(Tensor v, Tensor g)
    {
        var size = v.shape;
        var w = ChannelsLast.Empty(size[0], size[1], size[2], size[3]);
        float* pv = KernelMemory.Pointer<float>(v), pg = KernelMemory.Pointer<float>(g), pw = KernelMemory.Pointer<float>(w);
        int inputs = (int)size[1], taps = (int)(size[2] * size[3]), each = inputs * taps;
        KernelThreads.For(size[0], (double)size[0] * each, 1 << 15, (start, end) =>
        {
            for (var o = start; o < end; o++)
            {
                float* from = pv + (o * each), to = pw + (o * each);
                var scale = pg[o] / MathF.Sqrt(Math.Max(ImageMath.Dot(from, from, each), SmallestSquare));
                for (var tap = 0; tap < taps; tap++, to += inputs)
                    for (var i = 0; i < inputs; i++) to[i] = from[(i * taps) + tap] * scale;
            }
        });
        GC.KeepAlive(v);
        GC.KeepAlive(g);
        return w;
    }

    /// <summary>∂v = (g/‖v‖)(∂w − v (∂w·v)/‖v‖²) and ∂g = ∂w·v/‖v‖; ∂w of any layout.</summary>
    internal static unsafe (Tensor V, Tensor G) Backward(Tensor v, Tensor g, Tensor gradient)
    {
        var size = v.shape;
        var (dv, dg) = (empty_like(v), empty_like(g));
        float* pv = KernelMemory.Pointer<float>(v), pg = KernelMemory.Pointer<float>(g), pw = KernelMemory.Pointer<float>(gradient);
        float* pdv = KernelMemory.Pointer<float>(dv), pdg = KernelMemory.Pointer<float>(dg);
        int inputs = (int)size[1], taps = (int)(size[2] * size[3]), each = inputs * taps;
        var stride = gradient.stride();
        var (outer, across) = (stride[0], stride[1]);
        // the taps of a row lie evenly in both layouts, and so do the rows
        var along = size[3] > 1 ? stride[3] : 1;
        KernelThreads.For(size[0], (double)size[0] * each, 1 << 14, (start, end) =>
        {
            for (var o = start; o < end; o++)
            {
                float* row = pv + (o * each), from = pw + (o * outer), to = pdv + (o * each);
                for (var i = 0; i < inputs; i++)
                    for (var tap = 0; tap < taps; tap++) to[(i * taps) + tap] = from[(i * across) + (tap * along)];
                var square = ImageMath.Dot(row, row, each);
                var length = MathF.Sqrt(Math.Max(square, SmallestSquare));
                var along_v = ImageMath.Dot(row, to, each);
                pdg[o] = along_v / length;
                var scale = pg[o] / length;
                // below the floor the length does not depend on v
                ImageMath.Combine(to, row, each, scale, square < SmallestSquare ? 0 : -scale * (along_v / length / length));
            }
        });
        GC.KeepAlive(v);
        GC.KeepAlive(g);
        GC.KeepAlive(gradient);
        return (dv, dg);
    }
}

/// <summary><see cref="WeightNorm"/> with its gradient.</summary>
internal sealed class WeightNormFunction : KernelFunction<WeightNormFunction>
{
    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var (v, g) = ((Tensor)arguments[0], (Tensor)arguments[1]);
        context.save_for_backward([v, g]);
        return [WeightNorm.Forward(v, g)];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var saved = context.get_saved_variables();
        if (is_grad_enabled()) return KernelReference.Differentiate(i => [WeightNorm.Reference(i[0], i[1])], saved, gradients);
        var gradient = gradients[0].is_contiguous() ? gradients[0] : ChannelsLast.Of(gradients[0]);
        var (v, g) = WeightNorm.Backward(saved[0], saved[1], gradient);
        return [v, g];
    }
}
