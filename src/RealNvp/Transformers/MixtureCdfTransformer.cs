using RealNvp.Kernels;
using RealNvp.Operations;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The logit of the cumulative distribution of a mixture of K logistics, and an affine map: y = logit F(x) · exp(a) + t with
/// F(x) = Σ πᵢ σ((x − μᵢ)/sᵢ) (Flow++, arXiv 1902.00275, section 3.2).
/// </summary>
/// <remarks>
/// <para>The parameters of an element, each for all channels before the next: K logits of the weights π, K means μ, K values for
/// log s = 7 tanh(r/7), one for a = 5 tanh(r/5), and the shift t. Parameters of
/// 0 are the identity up to rounding. It has no weights of its own.</para>
/// <para>log|dy/dx| = a + log Σ (wᵢ σ(−uᵢ) + vᵢ σ(uᵢ))/sᵢ with u = (x − μ)/s and the shares w, v of component i in F and in 1 − F: a sum of
/// positive terms, so that it is exact in both tails, where y runs on as a line.</para>
/// <para>The inverse has no closed form. It is found by Newton's method inside a bracket, in float64 whatever the dtype; its residual
/// |τ(x) − y| is at most <see cref="MaxResidual"/> · max(1, |y|) before x is rounded to its dtype, or x is
/// the root to 14 digits, where the map is so steep that the next number has a larger residual; else the
/// call throws. The gradient of the inverse is that of the implicit function, of first order.</para>
/// </remarks>
public sealed partial class MixtureCdfTransformer : ScalarTransformer
{
    /// <summary>The largest residual of the inverse, relative to max(1, |y|): 1e-6. Found ones are some 1e-14.</summary>
    public const double MaxResidual = MixtureLimits.MaxResidual;

    /// <summary>Makes the transformer.</summary>
    /// <param name="components">K, the number of logistics, 1 to 64.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number of components that is not 1 to 64.</exception>
    public MixtureCdfTransformer(int components = 8) : base(nameof(MixtureCdfTransformer))
    {
        if (components is < 1 or > 64)
            throw new ArgumentOutOfRangeException(nameof(components), components, "The number of components must be 1 to 64.");
        Components = components;
        Map = new MixtureMap(components, nameof(MixtureCdfTransformer));
        RegisterComponents();
    }

    /// <summary>K, the number of logistics.</summary>
    public int Components { get; }

    /// <inheritdoc/>
    public override bool HasExactInverse => false;

    /// <inheritdoc/>
    public override int ParametersPerElement => Map.Parameters;

    /// <inheritdoc/>
    public override bool IsIdentityAtZeroExactly => false;

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Forward(Tensor x, Tensor parameters) =>
        Apply(x, nameof(x), parameters, inverse: false);

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">A root was not found to
    /// <see cref="MaxResidual"/>, as for values or parameters that are NaN or infinite.</exception>
    public override (Tensor Value, Tensor? LogDerivative) Inverse(Tensor y, Tensor parameters) =>
        Apply(y, nameof(y), parameters, inverse: true);

    internal override ElementwiseMap Map { get; }
}
