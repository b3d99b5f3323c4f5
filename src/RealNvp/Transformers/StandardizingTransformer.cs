using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Takes a normal variable to a standard one: y = (x − m) ⊙ exp(−log σ); log|dy/dx| = −log σ. Two parameters an element: all m first, then
/// all log σ. In a coupling it is a learned prior: the transformed part
/// is normal given the kept one (Glow, arXiv 1807.03039, and its code).
/// </summary>
/// <remarks>log σ is limited to ±<see cref="MaxLogScale"/>, so that σ and
/// 1/σ are finite in float32. It has no weights of its own.</remarks>
public sealed partial class StandardizingTransformer : ScalarTransformer
{
    /// <summary>The largest |log σ|, as of an <see cref="AffineTransformer"/>.</summary>
    public const double MaxLogScale = Gaussian.MaxLogScale;

    /// <summary>Makes the transformer.</summary>
    public StandardizingTransformer() : base(nameof(StandardizingTransformer)) => RegisterComponents();

    /// <inheritdoc/>
    public override int ParametersPerElement => 2;

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Forward(Tensor x, Tensor parameters)
    {
        CheckParameters(x, nameof(x), parameters);
        using var scope = NewDisposeScope();
        var (mean, logSize) = Split(parameters);
        var minus = logSize.neg();
        return (scope.MoveToOuter(x.sub(mean).mul(minus.exp())), scope.MoveToOuter(minus));
    }

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Inverse(Tensor y, Tensor parameters)
    {
        CheckParameters(y, nameof(y), parameters);
        using var scope = NewDisposeScope();
        var (mean, logSize) = Split(parameters);
        return (scope.MoveToOuter(y.mul(logSize.exp()).add(mean, Scalars.One)), scope.MoveToOuter(logSize));
    }

    private static (Tensor Mean, Tensor LogSize) Split(Tensor parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var half = parameters.shape[1] / 2;
        return (parameters.narrow(1, 0, half), Gaussian.Limited(parameters.narrow(1, half, half)));
    }
}
