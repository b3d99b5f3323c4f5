using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Density2D;

/// <summary>First weights for fine shapes. Usual ones make networks that are smooth over
/// the whole plane, and it takes thousands of steps until small shapes grow from them.</summary>
internal static class ToyWeights
{
    private const double TanhGain = 5.0 / 3, LipSwishGain = 20;

    /// <summary>The velocity of a continuous flow, a <see cref="TimeMlp"/> with tanh: the layer that sees
    /// the point is many times as steep, and the others get the variance 25/9 of 1/H that suits tanh.</summary>
    public static FfjordModel Sharpened(FfjordModel model, double firstGain)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        foreach (var (name, weight) in model.named_parameters())
        {
            if (name.Contains(".layers.0.", StringComparison.Ordinal)) weight.mul_(firstGain);
            // the layers' own are uniform with a variance of 1/(3H)
            else if (name.Contains(".dynamics.layers.", StringComparison.Ordinal) && name.EndsWith(".weight", StringComparison.Ordinal))
                weight.mul_(TanhGain * Math.Sqrt(3));
        }
        return model;
    }

    /// <summary>
    /// The networks of a residual flow, a <see cref="LipschitzMlp"/>: between layers a steep CLipSwish, whose slope has the same bound; and
    /// orthogonal weights of all layers but the last, which lose nothing of what their norm allows. The
    /// activation of the input stays as it is: steep, it would be a kink through the middle of the data.
    /// </summary>
    public static ResidualFlowModel Sharpened(ResidualFlowModel model, int seed)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var generator = new Generator((ulong)seed);
        foreach (var (name, weight) in model.named_parameters())
        {
            // CLipSwish is made of x·σ(βx) with β = softplus of this weight
            if (name.EndsWith(".beta", StringComparison.Ordinal))
            {
                if (!name.EndsWith(".activations.0.beta", StringComparison.Ordinal)) weight.fill_(LipSwishGain);
            }
            // all layers but the last, which has the plane's two outputs and begins with zeros
            else if (weight.dim() == 2 && weight.shape[0] > 2) weight.copy_(Orthogonal(weight.shape[0], weight.shape[1], generator));
        }
        return model;
    }

    // rows or columns of length 1 that are orthogonal to each other, whichever are fewer
    private static Tensor Orthogonal(long outputs, long inputs, Generator generator)
    {
        var q = linalg.qr(randn(Math.Max(outputs, inputs), Math.Min(outputs, inputs), generator: generator)).Q;
        return outputs <= inputs ? q.t() : q;
    }
}
