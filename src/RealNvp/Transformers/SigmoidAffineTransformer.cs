using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The affine map of Glow's code: y = (x + t) ⊙ s with s = σ(r + 2), a scale between 0 and 1; log|dy/dx| = log s. Two parameters an
/// element: all r first, then all t (Glow, arXiv 1807.03039, section 3.3, and its code).
/// </summary>
/// <remarks>
/// Parameters of 0 give a scale of 0.88, and not the identity. r below <see cref="MinLogit"/>
/// acts as if it were there, so that 1/s is finite in float32. It has no weights of its own.
/// </remarks>
public sealed partial class SigmoidAffineTransformer : ScalarTransformer
{
    /// <summary>The smallest r + 2: the scale is e⁻¹⁶ there, as small as that of an <see cref="AffineTransformer"/> can be.</summary>
    public const double MinLogit = AffineForm.MinLogit;

    /// <summary>Makes the transformer.</summary>
    public SigmoidAffineTransformer() : base(nameof(SigmoidAffineTransformer)) => RegisterComponents();

    /// <inheritdoc/>
    public override int ParametersPerElement => 2;

    /// <inheritdoc/>
    public override bool IsIdentityAtZeroExactly => false;

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Forward(Tensor x, Tensor parameters) =>
        Apply(x, nameof(x), parameters, inverse: false);

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Inverse(Tensor y, Tensor parameters) =>
        Apply(y, nameof(y), parameters, inverse: true);

    internal override ElementwiseMap Map { get; } = new AffineMap(shiftFirst: true, weight: null);
}
