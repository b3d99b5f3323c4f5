using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

/// <summary>Which kernels a coupling runs by.</summary>
internal enum CouplingKernels
{
    None,
    Separate,
    Fused,
}

/// <summary>What a coupling, or an autoregressive layer, gives by one operation, by separate kernels, and by plain tensors.</summary>
internal static class CouplingResults
{
    /// <summary>Turns kernels on and off until disposed.</summary>
    public static IDisposable Switch(CouplingKernels kernels) => kernels switch
    {
        CouplingKernels.None => KernelSwitch.AllOff(),
        CouplingKernels.Separate => KernelSwitch.Set(false, nameof(KernelSwitches.Coupling)),
        _ => KernelSwitch.Set(true, nameof(KernelSwitches.Coupling)),
    };

    /// <summary>Value and log-determinant.</summary>
    public static (Tensor Value, Tensor LogDet) Run(Bijection layer, Tensor x, Tensor? context, bool inverse, CouplingKernels kernels)
    {
        using var _ = Switch(kernels);
        return inverse ? layer.Inverse(x, context) : layer.Forward(x, context);
    }

    /// <summary>Value and log-determinant, then the gradients of input, context (no number without one) and parameters.</summary>
    public static Tensor[] Results(Bijection layer, Tensor x, Tensor? context, bool inverse, CouplingKernels kernels)
    {
        layer.zero_grad();
        var (leaf, given) = (x.detach().requires_grad_(), context?.detach().requires_grad_());
        var (value, logDet) = Run(layer, leaf, given, inverse, kernels);
        using var generator = new Generator(9);
        var (g, l) = (randn(value.shape, generator: generator).to(x.dtype), randn(logDet.shape, generator: generator).to(x.dtype));
        value.mul(g).sum().add(logDet.mul(l).sum()).backward();
        return [value.detach(), logDet.detach(), leaf.grad!, given?.grad ?? zeros(0), .. layer.parameters().Select(p => p.grad!.clone())];
    }
}
