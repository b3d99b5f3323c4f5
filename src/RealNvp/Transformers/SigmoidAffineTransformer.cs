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
/// Parameters of 0 give a scale of 0.88, and not the identity. r below <see cref="MinLogit"/> acts as if it were there, so that 1/s is finite
/// in float32. It has no weights of its own.
/// </remarks>
public sealed class SigmoidAffineTransformer : ScalarTransformer
{
    /// <summary>The smallest r + 2: the scale is e⁻¹⁶ there, as small as that of an <see cref="AffineTransformer"/> can be.</summary>
    public const double MinLogit = AffineForm.MinLogit;

    private static readonly Scalar least = Scalars.Of(MinLogit);

    /// <summary>Makes the transformer.</summary>
    public SigmoidAffineTransformer() : base(nameof(SigmoidAffineTransformer)) => RegisterComponents();

    /// <inheritdoc/>
    public override int ParametersPerElement => 2;

    /// <inheritdoc/>
    public override bool IsIdentityAtZeroExactly => false;

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Forward(Tensor x, Tensor parameters)
    {
        CheckParameters(x, nameof(x), parameters);
        using var scope = NewDisposeScope();
        var (logScale, shift) = Split(parameters);
        return (scope.MoveToOuter(x.add(shift, Scalars.One).mul(logScale.exp())), scope.MoveToOuter(logScale));
    }

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Inverse(Tensor y, Tensor parameters)
    {
        CheckParameters(y, nameof(y), parameters);
        using var scope = NewDisposeScope();
        var (logScale, shift) = Split(parameters);
        var minus = logScale.neg();
        return (scope.MoveToOuter(y.mul(minus.exp()).sub(shift)), scope.MoveToOuter(minus));
    }

    internal override CouplingMap? Fused => new AffineCouplingMap(shiftFirst: true, null, (x, p, _, inverse) => Plain(x, p, inverse));

    internal override (Tensor Value, Tensor? LogDet) Transform(Tensor input, Tensor parameters, bool inverse) => AffineKernel.Takes(input, parameters, null)
        ? AffineKernel.Run(Form(inverse), input, parameters, null, (x, p, _) => Plain(x, p, inverse))
        : base.Transform(input, parameters, inverse);

    internal override (Tensor Input, Tensor Gradient, Tensor Parameters)? StepBack(BackwardStep step, Tensor output, Tensor parameters, Tensor gradient, bool inverse)
    {
        if (!AffineKernel.Takes(output, parameters, null)) return null;
        var (input, _) = AffineKernel.Forward(Form(!inverse), output, parameters, null);
        var (slope, inParameters, _) = AffineKernel.Backward(Form(inverse), input, parameters, null, gradient, step.LogDetGradient);
        return (input, slope, inParameters);
    }

    private static AffineForm Form(bool inverse) => AffineForm.Of(sigmoid: true, shiftFirst: true, inverse);

    private (Tensor, Tensor) Plain(Tensor x, Tensor parameters, bool inverse)
    {
        var (y, logDerivative) = inverse ? Inverse(x, parameters) : Forward(x, parameters);
        return (y, Batch.SumExamples(logDerivative!));
    }

    private static (Tensor LogScale, Tensor Shift) Split(Tensor parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var half = parameters.shape[1] / 2;
        return (nn.functional.logsigmoid(parameters.narrow(1, 0, half).add(Scalars.Two, Scalars.One).clamp_min(least)), parameters.narrow(1, half, half));
    }
}
