using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Draws heavy tails in, smoothly: z = c·asinh(x/c), which is nearly x within ±c
/// and grows like the logarithm of x outside; log|det| = -½ Σ log(1 + (x/c)²).
/// </summary>
/// <remarks>
/// For data with values far out, behind a <see cref="Standardization"/> by <see cref="FeatureScaling.Quantiles"/>: a value
/// 10⁶ scales away arrives at c·13 to c·14, where a network can still deal with it. The map is one-to-one on the whole line
/// and exact in both directions; it has no state. The inverse is finite for |z| up to 88 c in float32 and 709 c in float64.
/// </remarks>
public sealed partial class AsinhTransform : Bijection
{
    private readonly Scalar threshold, reciprocal;

    /// <summary>Makes the layer.</summary>
    /// <param name="threshold">c, in units of x: where the tails begin; in 0.1 ... 1e6.</param>
    /// <param name="inputShape">The shape of one example; null for any.</param>
    public AsinhTransform(double threshold = 3, EventShape? inputShape = null) : base(nameof(AsinhTransform), inputShape)
    {
        Threshold = Ranges.TailThreshold.Require(threshold, nameof(threshold), "The threshold");
        (this.threshold, reciprocal) = (Scalars.Of(threshold), Scalars.Of(1 / threshold));
        RegisterComponents();
    }

    /// <summary>c, where the tails begin.</summary>
    public double Threshold { get; }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        var u = x.mul(reciprocal).asinh();
        return (u.mul(threshold), SumExamples(LogCosh(u)).neg());
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        var u = z.mul(reciprocal);
        return (u.sinh().mul(threshold), SumExamples(LogCosh(u)));
    }

    // ½ log(1 + (x/c)²) with x/c = sinh u, for x whose square is no number of the dtype too: |u| + log(1 + exp(-2|u|)) - log 2
    private static Tensor LogCosh(Tensor u)
    {
        var size = u.abs();
        return size.add(size.mul(Scalars.Of(-2)).exp().log1p(), Scalars.One).sub(Scalars.Of(Math.Log(2)));
    }
}
