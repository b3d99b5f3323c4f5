using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A network at some inputs: its outputs g(x), and products with its Jacobian J there, example by example.</summary>
/// <remarks>Tensors live in the caller's scope. They have graphs, to x, to the context
/// and to the weights, if gradients are on and something requires one.</remarks>
internal abstract class Linearization
{
    /// <summary>g(x), (N, ...).</summary>
    public abstract Tensor Value { get; }

    /// <summary>Jᵀ v for v of the shape of g(x).</summary>
    public abstract Tensor Pull(Tensor v);

    /// <summary>vᵀ J t of each example, (N), with a graph.</summary>
    public abstract Tensor Between(Tensor v, Tensor t);

    /// <summary>J of each example, (N, D, D); its rows are outputs.</summary>
    public abstract Tensor Jacobian();
}
