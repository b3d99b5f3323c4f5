namespace RealNvp;

/// <summary>The path from a latent x₀ to an example x₁ whose velocity flow matching
/// learns. Elements on circles always take the shorter way round, and unit vectors on a sphere great circles.</summary>
public enum FlowMatchingPath
{
    /// <summary>
    /// A straight line: xₜ = (1 − t)·x₀ + t·x₁ + σε, with the velocity x₁ − x₀
    /// (rectified flow, arXiv 2209.03003; conditional flow matching, arXiv 2302.00482).
    /// </summary>
    Straight,

    /// <summary>
    /// The base density shrinks to a spread of σ about the example: xₜ = t·x₁ + (1 − (1 − σ)t)·x₀, with the
    /// velocity x₁ − (1 − σ)x₀ (arXiv 2210.02747, equations 20 and 21). The same as a straight line if σ is 0.
    /// </summary>
    Shrinking,

    /// <summary>
    /// A path on which the variance stays that of data and latents if both have one variance: xₜ = cos(πt/2)·x₀ +
    /// sin(πt/2)·x₁ + σε, with the velocity π/2 (cos(πt/2)·x₁ − sin(πt/2)·x₀) (arXiv 2303.08797, trigonometric).
    /// </summary>
    VariancePreserving,
}
