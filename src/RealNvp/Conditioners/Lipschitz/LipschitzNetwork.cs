using RealNvp.Internal;
using TorchSharp;
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

    /// <inheritdoc/>
    /// <remarks>Value and tangents side by side: the products of a layer are two, and an activation is one pass over both.</remarks>
    public override (Tensor Value, Tensor Jacobian) WithJacobian(Tensor x, Tensor? context)
    {
        if (x.dim() != 2) return base.WithJacobian(x, context);
        var (n, d) = (x.shape[0], x.shape[1]);
        var (value, tangents) = (x, eye(d, dtype: x.dtype, device: x.device).expand(n, d, d));
        for (var i = 0; i < layers.Length; i++)
        {
            if (activations[i] is { } activation) (value, tangents) = activation.Push(value, tangents);
            value = layers[i].Apply(value, weights[i]);
            if (i == 0 && given(context) is { } shift) value = value.add(shift, Scalars.One);
            tangents = layers[i].Times(tangents.reshape(n * d, -1), weights[i]).reshape(n, d, -1);
        }
        return (value, tangents.transpose(1, 2));
    }
}
