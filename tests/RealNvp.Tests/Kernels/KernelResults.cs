using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

/// <summary>What a kernel gives, and how far apart two results are.</summary>
internal static class KernelResults
{
    /// <summary>The output of a map of all tensors but the last, which is the gradient of the output; then their gradients.</summary>
    public static Tensor[] Gradients(Func<IReadOnlyList<Tensor>, Tensor> map, Tensor[] tensors, ScalarType dtype)
    {
        var leaves = tensors[..^1].Select(t => t.to(dtype).detach().requires_grad_(true)).ToArray();
        var y = map(leaves);
        autograd.backward([y], [tensors[^1].to(dtype)]);
        return [y.detach(), .. leaves.Select(l => l.grad!)];
    }

    /// <summary>What a layer gives, with chains or layer by layer: value and log-determinant, and gradients of input, context and weights.
    /// Without a graph it must give the same but for rounding.</summary>
    public static Tensor[] OfLayer(Bijection layer, Tensor x, Tensor? context, bool inverse, bool chain, double rounding)
    {
        using var _ = KernelSwitch.Set(chain, nameof(KernelSwitches.Chain));
        layer.zero_grad();
        var (leaf, given) = (x.detach().requires_grad_(), context?.detach().requires_grad_());
        var (value, logDet) = inverse ? layer.Inverse(leaf, given) : layer.Forward(leaf, given);
        using var generator = new Generator(9);
        var (g, l) = (randn(value.shape, generator: generator), randn(logDet.shape, generator: generator));
        value.mul(g).sum().add(logDet.mul(l).sum()).backward();
        KernelFault.Throw();
        using (no_grad())
        {
            var (same, sum) = inverse ? layer.Inverse(leaf, given) : layer.Forward(leaf, given);
            ApartOfLargest(same, value).Should().BeLessThan(rounding);
            ApartOfLargest(sum, logDet).Should().BeLessThan(rounding);
        }
        return [value.detach(), logDet.detach(), leaf.grad!, given?.grad ?? zeros(0),
            .. layer.parameters().Where(p => p.grad is not null).Select(p => p.grad!.clone())];
    }

    /// <summary>The gradients of a gradient of a layer: of its input, and of each weight that has one.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="map">Its value and log-determinant, of an input.</param>
    /// <param name="x">The input.</param>
    public static Tensor[] SecondGradients(Bijection layer, Func<Tensor, (Tensor Value, Tensor LogDet)> map, Tensor x)
    {
        layer.zero_grad();
        var leaf = x.detach().requires_grad_();
        var (value, logDet) = map(leaf);
        var first = autograd.grad([value.mul(value).sum().add(logDet.mul(logDet).sum())], [leaf], retain_graph: true,
            create_graph: true)[0];
        first.mul(first).sum().backward();
        return [leaf.grad!.clone(), .. layer.parameters().Where(p => p.grad is not null).Select(p => p.grad!.clone())];
    }

    /// <summary>The largest difference, as a part of the root mean square of what
    /// was expected, or of <paramref name="least"/> where that is more.</summary>
    public static double ApartOfMeanSquare(Tensor actual, Tensor expected, double least = 0)
    {
        using var scope = NewDisposeScope();
        var (a, e) = (actual.to(float64), expected.to(float64));
        return a.sub(e).abs().max().item<double>() / Math.Max(e.square().mean().sqrt().item<double>(), least);
    }

    /// <summary>The largest difference, as a part of the largest number that was expected; 0 where there are none.</summary>
    public static double ApartOfLargest(Tensor actual, Tensor expected)
    {
        if (actual.numel() == 0) return 0;
        using var scope = NewDisposeScope();
        var (a, e) = (actual.to(float64), expected.to(float64));
        return a.sub(e).abs().max().item<double>() / Math.Max(1e-30, e.abs().max().item<double>());
    }

    /// <summary>Whether all numbers are equal.</summary>
    public static bool Same(Tensor a, Tensor b) => a.eq(b).all().item<bool>();
}
