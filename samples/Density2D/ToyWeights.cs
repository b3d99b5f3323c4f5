using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Density2D;

/// <summary>First weights for fine shapes. Usual ones make networks that are smooth over
/// the whole plane, and it takes thousands of steps until small shapes grow from them.</summary>
internal static class ToyWeights
{
    private const double TanhGain = 5.0 / 3, FirstGain = 10, LipSwishGain = 20, LipSwishBias = 0.4;

    /// <summary>The velocity of a continuous flow, a <see cref="TimeMlp"/> with tanh: the layer that sees
    /// the point is ten times as steep, and the others get the variance 25/9 of 1/H that suits tanh.</summary>
    public static FfjordModel Sharpened(FfjordModel model)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        foreach (var (name, weight) in model.named_parameters())
        {
            if (name.Contains(".layers.0.", StringComparison.Ordinal)) weight.mul_(FirstGain);
            // the layers' own are uniform with a variance of 1/(3H)
            else if (name.Contains(".dynamics.layers.", StringComparison.Ordinal) && name.EndsWith(".weight", StringComparison.Ordinal))
                weight.mul_(TanhGain * Math.Sqrt(3));
        }
        return model;
    }

    /// <summary>
    /// The networks of a residual flow, a <see cref="LipschitzMlp"/>: a steep LipSwish, whose slope has the same bound, at places that are
    /// within the data; and orthogonal weights between hidden layers, which lose nothing of what their norm allows.
    /// </summary>
    public static ResidualFlowModel Sharpened(ResidualFlowModel model, int seed)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var generator = new Generator((ulong)seed);
        foreach (var (name, weight) in model.named_parameters())
        {
            // LipSwish is x·σ(βx)/1.1 with β = softplus of this weight
            if (name.EndsWith(".beta", StringComparison.Ordinal)) weight.fill_(LipSwishGain);
            else if (name.EndsWith(".layers.0.bias", StringComparison.Ordinal)) weight.mul_(LipSwishBias);
            else if (weight.dim() == 2 && weight.shape[0] == weight.shape[1])
                weight.copy_(linalg.qr(randn(weight.shape, generator: generator)).Q);
        }
        return model;
    }
}
