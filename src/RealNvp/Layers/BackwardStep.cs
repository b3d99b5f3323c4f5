using static TorchSharp.torch;

namespace RealNvp;

/// <summary>What a layer has to do with in one step of a backward pass that
/// starts from outputs alone: see <see cref="IStepsBack"/>.</summary>
public abstract class BackwardStep
{
    private protected BackwardStep() { }

    /// <summary>The context (N, C) as a leaf that gathers gradients; null if there is none.</summary>
    public abstract Tensor? Context { get; }

    /// <summary>The gradient of the loss with respect to the log-determinants (N):
    /// the same for all layers, because log-determinants are added up.</summary>
    public abstract Tensor LogDetGradient { get; }

    /// <summary>Rebuilds the input with the layer's inverse, and computes the layer again with
    /// gradients: what is done for a layer that is no <see cref="IStepsBack"/>.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="output">What it gave.</param>
    /// <param name="gradient">The gradient of the loss with respect to the output.</param>
    /// <param name="inverse">Whether its Inverse gave the output.</param>
    public abstract (Tensor Input, Tensor Gradient) Rebuild(Bijection layer, Tensor output, Tensor gradient, bool inverse);

    /// <summary>
    /// Takes gradients from tensors that were computed with a graph to leaves, to the context and to the layer's
    /// weights. The gradients of leaves are in their <c>grad</c> then; null if the leaf had no part in it.
    /// </summary>
    /// <param name="layer">The layer whose weights have a part in it.</param>
    /// <param name="value">A tensor with a graph.</param>
    /// <param name="gradient">The gradient of the loss with respect to it.</param>
    /// <param name="logDet">The log-determinant (N), if it has a graph too; its gradient is <see cref="LogDetGradient"/>.</param>
    /// <param name="leaves">Tensors that require gradients.</param>
    public void Backward(Bijection layer, Tensor value, Tensor gradient, Tensor? logDet, params Tensor[] leaves)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(value);
        ArgumentNullException.ThrowIfNull(leaves);
        BackwardThrough([layer], value, gradient, logDet, leaves);
    }

    /// <summary>As for one layer; the weights of several have a part in it, as
    /// those of neighbours that ran together (<see cref="IJoinsLayer"/>).</summary>
    /// <param name="layers">The layers.</param>
    /// <param name="value">A tensor with a graph.</param>
    /// <param name="gradient">The gradient of the loss with respect to it.</param>
    /// <param name="logDet">The log-determinant (N), if it has a graph too; its gradient is <see cref="LogDetGradient"/>.</param>
    /// <param name="leaves">Tensors that require gradients.</param>
    public void Backward(IReadOnlyList<Bijection> layers, Tensor value, Tensor gradient, Tensor? logDet, params Tensor[] leaves)
    {
        Internal.Check.Items(layers, nameof(layers), "Layer");
        ArgumentNullException.ThrowIfNull(value);
        ArgumentNullException.ThrowIfNull(leaves);
        BackwardThrough([.. layers], value, gradient, logDet, leaves);
    }

    /// <summary>Adds to the gradient of a weight of the layer, if that is trained.</summary>
    /// <param name="weight">The weight.</param>
    /// <param name="gradient">Of its shape; the step takes the tensor over.</param>
    public abstract void AddGradient(Tensor weight, Tensor gradient);

    /// <summary>
    /// Puts the state that the layer's networks had before the pass back until disposed,
    /// such as running statistics. A layer that calls a network in its step does it within.
    /// </summary>
    /// <returns>Null if there is no such state.</returns>
    public abstract IDisposable? Restore();

    /// <summary>Goes back through layers that were applied in the given order:
    /// their input, and the gradient of the loss with respect to it.</summary>
    internal abstract (Tensor Input, Tensor Gradient) Through(Bijection[] layers, Tensor output, Tensor gradient, bool inverse);

    private protected abstract void BackwardThrough(Bijection[] layers, Tensor value, Tensor gradient, Tensor? logDet, Tensor[] leaves);
}
