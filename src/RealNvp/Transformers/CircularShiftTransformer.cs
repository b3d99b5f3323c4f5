using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The rotation of a circle: y = x + t modulo the period; log|dy/dx| = 0
/// (Rezende and others, arXiv 2002.02428). One parameter an element: t.</summary>
/// <remarks>y lies in [low, high). It has no weights.</remarks>
public sealed partial class CircularShiftTransformer : ScalarTransformer
{
    private readonly CircleWrap wrap;
    private readonly Circle circle;

    /// <summary>Makes the transformer.</summary>
    /// <param name="low">The lower edge, where the circle is cut.</param>
    /// <param name="high">The upper edge, one turn on.</param>
    public CircularShiftTransformer(double low = -Math.PI, double high = Math.PI) : base(nameof(CircularShiftTransformer))
    {
        circle = new Circle(0, low, high);
        wrap = new CircleWrap(low, high);
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override int ParametersPerElement => 1;

    /// <summary>False: a value outside of [low, high) comes back to it.</summary>
    public override bool IsIdentityAtZeroExactly => false;

    /// <inheritdoc/>
    public override Circle? CircleOf(int feature) => circle.At(feature);

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Forward(Tensor x, Tensor parameters)
    {
        CheckParameters(x, nameof(x), parameters);
        using var scope = NewDisposeScope();
        return (scope.MoveToOuter(wrap.Of(x.add(parameters, Scalars.One))), null);
    }

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Inverse(Tensor y, Tensor parameters)
    {
        CheckParameters(y, nameof(y), parameters);
        using var scope = NewDisposeScope();
        return (scope.MoveToOuter(wrap.Of(y.sub(parameters))), null);
    }
}
