namespace RealNvp;

/// <summary>The distribution of the number of random terms.</summary>
public enum RouletteKind
{
    /// <summary>1, 2, ...: at least j with probability (1 − p)ʲ⁻¹. Residual Flows takes p = 0.5.</summary>
    Geometric,

    /// <summary>0, 1, ...: Poisson with a mean.</summary>
    Poisson,
}
