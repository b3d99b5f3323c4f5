using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A learned scale for every variable, the same for every example: z = x ⊙ exp(s); log|det| = Σ s (NICE, arXiv 1410.8516,
/// section 3.3, which ends its additive couplings with this layer).
/// </summary>
/// <remarks>State-dict key: <c>log_scale</c>, of the shape of one example, 0 at first: the layer starts as the identity.</remarks>
public sealed partial class DiagonalScaling : Bijection
{
    private readonly TorchSharp.Modules.Parameter log_scale;

    /// <summary>Makes the layer for examples of one shape.</summary>
    public DiagonalScaling(EventShape inputShape) : base(nameof(DiagonalScaling), inputShape)
    {
        Weights.Pay(inputShape.NumElements, 1);
        log_scale = Weights.Parameter(zeros(inputShape.ToArray()));
        RegisterComponents();
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
        (x.mul(log_scale.exp()), log_scale.sum().repeat(x.shape[0]));

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) =>
        (z.mul(log_scale.neg().exp()), log_scale.sum().neg().repeat(z.shape[0]));
}
