namespace RealNvp;

/// <summary>How the log-determinant of a <see cref="ResidualLayer"/> is had if there are
/// too many features for an exact one: from log det(I + J) = Σ (−1)ᵏ⁺¹ tr(Jᵏ)/k.</summary>
public enum ResidualSeries
{
    /// <summary>
    /// The first terms, and from there on a random number of terms, each weighted by the inverse of the probability that it is
    /// there: the mean over draws is the log-determinant (Residual Flows, arXiv 1906.02735, section 3.1).
    /// </summary>
    Roulette,

    /// <summary>A number of terms, and no more: off by D·cⁿ⁺¹/((n + 1)(1 − c))
    /// at most for n terms (i-ResNets, arXiv 1811.00995, theorem 3).</summary>
    Truncated,
}
