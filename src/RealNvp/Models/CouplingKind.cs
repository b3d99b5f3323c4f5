namespace RealNvp;

/// <summary>The elementwise map of a model's couplings.</summary>
public enum CouplingKind
{
    /// <summary>y = x ⊙ exp(s) + t: Real NVP.</summary>
    Affine,

    /// <summary>y = x + t, which preserves volume: NICE.</summary>
    Additive,
}
