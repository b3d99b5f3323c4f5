using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>In training, mirrors each image left to right with probability p; in evaluation, the identity. log|det| = 0.</summary>
/// <remarks>Real NVP trains on flipped images too (arXiv 1605.08803,
/// section 4.1). The inverse is the identity. It has no weights.</remarks>
public sealed class RandomHorizontalFlip : Bijection
{
    /// <summary>Makes the layer.</summary>
    /// <param name="probability">p in [0, 1].</param>
    /// <param name="inputShape">[C, H, W]; null for images of any size.</param>
    public RandomHorizontalFlip(double probability = 0.5, EventShape? inputShape = null)
        : base(nameof(RandomHorizontalFlip), inputShape ?? [-1, -1, -1])
    {
        if (probability is not (>= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(probability), probability, "A probability must be in [0, 1].");
        Probability = probability;
        RegisterComponents();
    }

    /// <summary>p, the probability of a flip.</summary>
    public double Probability { get; }

    /// <inheritdoc/>
    public override bool MovesValues => true;

    /// <inheritdoc/>
    public override bool IsRepeatable => false;

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        if (!training) return (x, null);
        var chosen = Noise.Uniform([x.shape[0], 1, 1, 1], x.dtype, x.device, pass.Generator).lt(Scalars.Of(Probability));
        return (where(chosen, x.flip(3), x), null);
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z, null);
}
