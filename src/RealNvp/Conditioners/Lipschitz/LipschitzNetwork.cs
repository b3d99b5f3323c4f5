using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A call of a network of activations and layers by turns.</summary>
/// <param name="activations">The activation before each layer; null for none.</param>
/// <param name="layers">The layers.</param>
/// <param name="isStep">Whether power iteration goes on in training.</param>
/// <param name="given">What the context adds to the result of the first layer; null for nothing.</param>
internal sealed class LipschitzNetwork(IActivation?[] activations, LipschitzLayer[] layers, bool isStep,
    Func<Tensor?, Tensor?> given) : NetworkCall
{
    private readonly Tensor[] weights = Array.ConvertAll(layers, layer => layer.Normalized(isStep));

    /// <inheritdoc/>
    public override Tensor Run(Tensor x, Tensor? context)
    {
        for (var i = 0; i < layers.Length; i++)
        {
            if (activations[i] is { } activation) x = activation.At(x, slope: false).Value;
            x = layers[i].Apply(x, weights[i]);
            if (i == 0 && given(context) is { } shift) x = x.add(shift, Scalars.One);
        }
        return x;
    }

    /// <inheritdoc/>
    public override Linearization At(Tensor x, Tensor? context) =>
        new LayeredLinearization(activations, layers, weights, x, given(context));
}
