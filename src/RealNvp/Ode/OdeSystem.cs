using System.Diagnostics.CodeAnalysis;
using RealNvp.Internal;
using RealNvp.Operations;
using static TorchSharp.torch;

namespace RealNvp.Ode;

/// <summary>The right-hand side of dy/dt = f(t, y), for examples whose numbers lie side by side.</summary>
internal abstract class OdeSystem
{
    /// <summary>What f depends on beside its arguments and needs gradients of; null if that is not known.</summary>
    public abstract IReadOnlyList<Tensor>? Parameters { get; }

    /// <summary>f as a network that a kernel solves with, with the context that it sees; null if it is none.</summary>
    /// <param name="given">What each example has of its own beside y.</param>
    public virtual (DynamicsNetwork Network, Tensor? Context)? Fused(IReadOnlyList<Tensor> given) => null;

    /// <summary>f with other tensors in the place of <see cref="Parameters"/>, in plain operations: for gradients of gradients, which need
    /// an f that depends on nothing but what it is given. Null if that cannot be had.</summary>
    /// <param name="parameters">One for each of <see cref="Parameters"/>.</param>
    public virtual OdeSystem? With(IReadOnlyList<Tensor> parameters) => null;

    /// <summary>f(t, y) (n, M), contiguous, for n of the examples.</summary>
    /// <param name="t">(n), in the dtype of y.</param>
    /// <param name="y">(n, M).</param>
    /// <param name="given">What each example has of its own beside y, (n,
    /// ...): contexts, probes. Those that belong to these examples.</param>
    public abstract Tensor Evaluate(Tensor t, Tensor y, IReadOnlyList<Tensor> given);
}

/// <summary>A caller's function of tensors of the caller's shapes.</summary>
internal sealed class OdeFunctionSystem(Func<Tensor, Tensor, Tensor?, Tensor> f, long[] shape, IReadOnlyList<Tensor>? parameters)
    : OdeSystem
{
    private readonly bool flat = shape.Length == 1;

    public override IReadOnlyList<Tensor>? Parameters => parameters;

    public override Tensor Evaluate(Tensor t, Tensor y, IReadOnlyList<Tensor> given)
    {
        var n = y.size(0);
        var arguments = flat ? y : y.view([n, .. shape]);
        var value = f(t, arguments, given.Count > 0 ? given[0] : null);
        if (value is null || value.IsInvalid) Refuse("no tensor", n);
        if (!Sizes.Same(value, arguments)) Refuse("shape " + EventShape.Format(value.shape), n);
        if (value.dtype != y.dtype || value.device_type != y.device_type)
            Refuse($"{value.dtype} on {value.device}", n, $" Expected {y.dtype} on {y.device}, as y has.");
        return (flat ? value : value.reshape(n, y.size(1))).contiguous();
    }

    [DoesNotReturn]
    private void Refuse(string found, long n, string expected = "") =>
        throw new ArgumentException(
            $"f(t, y) gives dy/dt with the shape of y, {EventShape.Format([n, .. shape])}, one row for each example that is not done " +
            $"yet; it gave {found}.{expected}");
}
