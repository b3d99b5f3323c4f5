namespace RealNvp;

/// <summary>The elementwise map of nflows' couplings and autoregressive layers, which a state dict tells in part only.</summary>
public enum NflowsTransform
{
    /// <summary>By the number of parameters of a feature: 1 is additive, 2 affine, 3K −
    /// 1 a rational-quadratic spline with linear tails, 3K + 1 one on a box.</summary>
    FromShapes,

    /// <summary>y = x + t: <c>AdditiveCouplingTransform</c>.</summary>
    Additive,

    /// <summary>y = x·s + t: <c>AffineCouplingTransform</c>, <c>MaskedAffineAutoregressiveTransform</c>.</summary>
    Affine,

    /// <summary>A rational-quadratic spline: <c>PiecewiseRationalQuadraticCouplingTransform</c>
    /// and its masked autoregressive form.</summary>
    RationalQuadratic,
}
