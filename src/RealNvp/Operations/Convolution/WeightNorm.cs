using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The weight w = g · v/‖v‖ of a convolution with weight normalization.</summary>
internal static class WeightNorm
{
    /// <summary>w of the shape of v. In one pass, channels last, where
    /// <paramref name="fused"/>; the same with plain tensors where not.</summary>
    /// <param name="v">(O, I, k, k).</param>
    /// <param name="g">(O, 1, 1, 1).</param>
    /// <param name="fused">Whether kernels may run.</param>
    public static Tensor Of(Tensor v, Tensor g, bool fused)
    {
        if (!fused || v.dim() != 4 || v.dtype != ScalarType.Float32 || !KernelMemory.IsContiguous(v)
                || !KernelMemory.Is(g, ScalarType.Float32, v.size(0), 1, 1, 1))
            return Reference(v, g);
        return is_grad_enabled() && (v.requires_grad || g.requires_grad) ? WeightNormFunction.Apply(v, g)[0] : Forward(v, g);
    }

    public static Tensor Norm(Tensor v) => v.mul(v).sum([1, 2, 3], keepdim: true)
        .clamp_min(Scalars.Of(WeightNormRows.SmallestSquare)).sqrt();

    internal static Tensor Reference(Tensor v, Tensor g) => v.mul(g.div(Norm(v)));

    internal static unsafe Tensor Forward(Tensor v, Tensor g)
    {
        var size = v.Sizes();
        var w = ChannelsLast.Empty(size[0], size[1], size[2], size[3]);
        WeightNormRows.Run(KernelMemory.Pointer<float>(v), KernelMemory.Pointer<float>(g), KernelMemory.Pointer<float>(w), (int)size[0],
            (int)size[1], (int)(size[2] * size[3]));
        GC.KeepAlive(v);
        GC.KeepAlive(g);
        return w;
    }

    /// <summary>∂v and ∂g, from a ∂w that is contiguous or lies channels last.</summary>
    internal static unsafe (Tensor V, Tensor G) Backward(Tensor v, Tensor g, Tensor gradient)
    {
        var size = v.Sizes();
        var (dv, dg) = (empty_like(v), empty_like(g));
        var stride = gradient.Strides();
        // the taps of a row lie evenly in both layouts, and so do the rows
        WeightNormRows.Backward(KernelMemory.Pointer<float>(v), KernelMemory.Pointer<float>(g), KernelMemory.Pointer<float>(gradient),
            stride[0], stride[1], size[3] > 1 ? stride[3] : 1, KernelMemory.Pointer<float>(dv), KernelMemory.Pointer<float>(dg),
            (int)size[0], (int)size[1], (int)(size[2] * size[3]));
        GC.KeepAlive(v);
        GC.KeepAlive(g);
        GC.KeepAlive(gradient);
        return (dv, dg);
    }
}

/// <summary><see cref="WeightNorm"/> with its gradient.</summary>
internal sealed class WeightNormFunction : KernelFunction<WeightNormFunction>
{
    protected override bool OwnsGradients => true;

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
