using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A network within one call of its layer: however often it is asked,
/// it is the same function, whose weights are normalized once.</summary>
internal abstract class NetworkCall
{
    /// <summary>g(x), (N, ...). Runs in the caller's scope.</summary>
    /// <param name="x">(N, ...).</param>
    /// <param name="context">(N, C), or null.</param>
    public abstract Tensor Run(Tensor x, Tensor? context);

    /// <summary>The network at x, with its Jacobian.</summary>
    /// <param name="x">(N, ...).</param>
    /// <param name="context">(N, C), or null.</param>
    public abstract Linearization At(Tensor x, Tensor? context);

    /// <summary>g(x), and the Jacobian of each example, (N, D, D), whose rows are outputs.</summary>
    /// <param name="x">(N, ...).</param>
    /// <param name="context">(N, C), or null.</param>
    public virtual (Tensor Value, Tensor Jacobian) WithJacobian(Tensor x, Tensor? context)
    {
        var at = At(x, context);
        return (at.Value, at.Jacobian());
    }

    /// <summary>Begins a call.</summary>
    /// <param name="network">The library's, or any module.</param>
    /// <param name="isStep">Whether this is a pass that, in training, takes power iteration on; false if a pass is computed again.</param>
    public static NetworkCall Of(nn.Module network, bool isStep = true) => network is ICallsOnce own ? own.Begin(isStep)
        : new AutogradCall(network);

    private sealed class AutogradCall(nn.Module network) : NetworkCall
    {
        public override Tensor Run(Tensor x, Tensor? context) =>
            network is nn.Module<Tensor, Tensor?, Tensor> conditional ? conditional.call(x, context)
                : ((nn.Module<Tensor, Tensor>)network).call(x);

        public override Linearization At(Tensor x, Tensor? context) => new AutogradLinearization(this, x, context);
    }
}

/// <summary>A network with weights that are normalized once a call, and with products with its Jacobian that need no autograd.</summary>
internal interface ICallsOnce
{
    /// <summary>Begins a call: see <see cref="NetworkCall.Of"/>. Tensors live in the caller's scope.</summary>
    NetworkCall Begin(bool isStep);
}
