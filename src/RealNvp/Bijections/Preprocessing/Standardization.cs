using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Centres and scales each feature with numbers taken from data: z = (x - mean)/std; log|det| = -Σ log std. Log-likelihoods then stay
/// in the units of the data.
/// </summary>
/// <remarks>
/// The numbers are no weights: they are set once by <see cref="Fit"/> and not trained. A new layer is the identity. State-dict keys:
/// <c>mean</c> and <c>log_std</c>, of the shape of one example.
/// </remarks>
public sealed class Standardization : Bijection
{
    private readonly Tensor mean, log_std;

    /// <summary>Makes the layer for examples of one shape.</summary>
    public Standardization(EventShape inputShape) : base(nameof(Standardization), inputShape)
    {
        Weights.Pay(2 * inputShape.NumElements, 2);
        mean = Weights.Buffer(zeros(inputShape.ToArray()));
        log_std = Weights.Buffer(zeros(inputShape.ToArray()));
        RegisterComponents();
    }

    /// <summary>Takes mean and standard deviation from data.</summary>
    /// <param name="x">(N, ...) with N of at least 2, any floating-point dtype, on any device.</param>
    /// <exception cref="ArgumentException">Wrong shape, NaN, or a feature that is constant: its density has no finite value.</exception>
    public void Fit(Tensor x)
    {
        var owner = $"{GetName()}.{nameof(Fit)}";
        Check.Batch(x, nameof(x), owner, InputShape);
        Check.Like(x, nameof(x), owner, null);
        if (x.shape[0] < 2) throw new ArgumentException($"{owner} needs at least 2 examples; got {x.shape[0]}.", nameof(x));
        Check.Finite(x, nameof(x), owner);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (variance, average) = x.to(float64).var_mean([0L], unbiased: false);
        var constant = variance.flatten().le(Scalars.Zero).nonzero();
        if (constant.shape[0] > 0)
            throw new ArgumentException($"{owner}: feature {constant[0, 0].Fetch<long>()} is constant, so its density would be infinite. Remove the feature, or add noise to it.", nameof(x));
        mean.copy_(average);
        log_std.copy_(variance.log().mul(Scalars.Half));
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Tensor? context) =>
        (x.sub(mean.to(x.dtype)).mul(log_std.neg().exp().to(x.dtype)), LogDet(x, log_std.neg()));

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Tensor? context) =>
        (z.mul(log_std.exp().to(z.dtype)).add(mean.to(z.dtype), Scalars.One), LogDet(z, log_std));

    private static Tensor LogDet(Tensor x, Tensor logScale) => logScale.sum().to(x.dtype).repeat(x.shape[0]);
}
