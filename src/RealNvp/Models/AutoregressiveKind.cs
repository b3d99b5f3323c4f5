namespace RealNvp;

/// <summary>The elementwise map of the autoregressive models.</summary>
public enum AutoregressiveKind
{
    /// <summary>y = x ⊙ exp(s) + t, as in the papers.</summary>
    Affine,

    /// <summary>Rational-quadratic splines: RQ-NSF (AR) (arXiv 1906.04032).</summary>
    Spline,

    /// <summary>Mixtures of logistics (arXiv 1902.00275).</summary>
    Mixture,
}
