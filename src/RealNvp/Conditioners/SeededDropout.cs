using RealNvp.Internal;
using RealNvp.Layers;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Dropout in a network of a flow: in training, each number is 0 with a probability p, and x / (1 − p) otherwise;
/// in evaluation it is x (Srivastava et al., Journal of Machine Learning Research 15, 2014).</summary>
/// <remarks>
/// Unlike torch's own, it draws from the seed of the pass, as noise of layers does: the same seed trains to the same
/// weights, and a training that is resumed goes on as if it had never stopped. It has no state-dict keys.
/// <see cref="ResidualMlp"/> and <see cref="Made"/> have it as an option; use it in networks of your own as any module.
/// </remarks>
public sealed partial class SeededDropout : nn.Module<Tensor, Tensor>, IDrawsInTraining
{
    /// <summary>Makes the module.</summary>
    /// <param name="probability">p, in 0 ... 0.9.</param>
    /// <exception cref="ArgumentOutOfRangeException">The probability is outside the range.</exception>
    public SeededDropout(double probability) : base(TorchBackend.Checked(nameof(SeededDropout)))
    {
        Probability = Ranges.Dropout.Require(probability, nameof(probability), "The probability of a dropout");
        RegisterComponents();
    }

    /// <summary>p, the probability of a number to be 0 in training.</summary>
    public double Probability { get; }

    /// <summary>Whether it does anything now: in training, unless p is 0.</summary>
    internal bool IsOn => training && Probability > 0;

    /// <summary>Applies it.</summary>
    /// <param name="x">Of any shape, floating point.</param>
    /// <returns>Of the same shape and dtype. The caller disposes it.</returns>
    public override Tensor forward(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (!IsOn) return x.alias();
        using var scope = NewDisposeScope();
        // float32 whatever x is, so that a seed means the same zeros in any dtype
        var kept = Noise.Uniform(x.shape, ScalarType.Float32, x.device, PassState.Current?.Generator).ge(Scalars.Of(Probability));
        return scope.MoveToOuter(x.mul(kept.to(x.dtype)).mul(Scalars.Of(1 / (1 - Probability))));
    }

    /// <summary>The dropout of a network's option; null for a probability of 0.</summary>
    internal static SeededDropout? Of(double probability) => probability == 0 ? null : new SeededDropout(probability);
}
