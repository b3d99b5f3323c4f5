using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The shift y = x + t; log|dy/dx| = 0 (NICE, arXiv 1410.8516, section 3.2). One parameter an element: t.</summary>
public sealed partial class AdditiveTransformer : ScalarTransformer
{
    /// <summary>Makes the transformer; it has no weights.</summary>
    public AdditiveTransformer() : base(nameof(AdditiveTransformer)) => RegisterComponents();

    /// <inheritdoc/>
    public override int ParametersPerElement => 1;

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Forward(Tensor x, Tensor parameters)
    {
        CheckParameters(x, nameof(x), parameters);
        return (x.add(parameters, Scalars.One), null);
    }

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Inverse(Tensor y, Tensor parameters)
    {
        CheckParameters(y, nameof(y), parameters);
        return (y.sub(parameters), null);
    }

    internal override (Tensor Input, Tensor Gradient, Tensor Parameters)? StepBack(BackwardStep step, Tensor output, Tensor parameters,
        Tensor gradient, bool inverse) =>
        inverse ? (output.add(parameters, Scalars.One), gradient, gradient.neg()) : (output.sub(parameters), gradient, gradient);
}
