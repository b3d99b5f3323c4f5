using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A network of activations and linear layers by turns: J =
/// Ŵₙ·diag(sₙ)···Ŵ₁·diag(s₁) with the slopes s of the activations.</summary>
/// <remarks>Forward mode: a tangent goes through the same products as the value, so that a
/// Jacobian with gradients takes one backward pass and no second derivative.</remarks>
internal sealed class LayeredLinearization : Linearization
{
    private readonly IActivation?[] activations;
    private readonly LipschitzLayer[] layers;
    private readonly Tensor?[] slopes;
    private readonly Tensor[] weights;
    private readonly Tensor x;

    /// <param name="activations">The activation before each layer; null for none.</param>
    /// <param name="layers">The layers.</param>
    /// <param name="weights">The normalized weight of each.</param>
    /// <param name="x">The input.</param>
    /// <param name="given">What is added to the result of the first layer, or null.</param>
    public LayeredLinearization(IActivation?[] activations, LipschitzLayer[] layers, Tensor[] weights, Tensor x, Tensor? given)
    {
        (this.activations, this.layers, this.weights, this.x) = (activations, layers, weights, x);
        slopes = new Tensor?[layers.Length];
        var here = x;
        for (var i = 0; i < layers.Length; i++)
        {
            if (activations[i] is { } activation) (here, slopes[i]) = activation.At(here, slope: true);
            here = layers[i].Apply(here, weights[i]);
            if (i == 0 && given is not null) here = here.add(given, Scalars.One);
        }
        Value = here;
    }

    /// <inheritdoc/>
    public override Tensor Value { get; }

    /// <summary>J t for t of the shape of x.</summary>
    public Tensor Push(Tensor t)
    {
        for (var i = 0; i < layers.Length; i++)
        {
            if (activations[i] is { } activation)
                t = (activation.Outputs > 1 ? cat([.. Enumerable.Repeat(t, activation.Outputs)], 1) : t).mul(slopes[i]!);
            t = layers[i].Times(t, weights[i]);
        }
        return t;
    }

    /// <inheritdoc/>
    public override Tensor Pull(Tensor v)
    {
        for (var i = layers.Length - 1; i >= 0; i--)
        {
            v = layers[i].TimesTransposed(v, weights[i]);
            if (activations[i] is not { } activation) continue;
            v = v.mul(slopes[i]!);
            if (activation.Outputs > 1)
                v = v.reshape([v.shape[0], activation.Outputs, v.shape[1] / activation.Outputs, .. v.shape[2..]]).sum([1L]);
        }
        return v;
    }

    /// <inheritdoc/>
    public override Tensor Between(Tensor v, Tensor t) => Batch.SumExamples(v.mul(Push(t)));

    /// <inheritdoc/>
    public override Tensor Jacobian()
    {
        var (n, d) = (x.shape[0], x.numel() / Math.Max(1, x.shape[0]));
        // the D unit vectors of each example as rows of their own
        long[] one = x.shape[1..];
        var t = eye(d, dtype: x.dtype, device: x.device).reshape([1, d, .. one]).expand([n, d, .. one]).reshape([n * d, .. one]);
        for (var i = 0; i < layers.Length; i++)
        {
            if (activations[i] is { } activation)
            {
                if (activation.Outputs > 1) t = cat([.. Enumerable.Repeat(t, activation.Outputs)], 1);
                var slope = slopes[i]!;
                long[] rest = slope.shape[1..];
                t = t.reshape([n, d, .. rest]).mul(slope.unsqueeze(1)).reshape([n * d, .. rest]);
            }
            t = layers[i].Times(t, weights[i]);
        }
        // row (n, j) holds the derivatives by x_j
        return t.reshape(n, d, d).transpose(1, 2);
    }
}
