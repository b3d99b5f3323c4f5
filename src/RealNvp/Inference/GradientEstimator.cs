namespace RealNvp;

/// <summary>How <see cref="VariationalInference.ReverseKl"/> estimates the
/// gradient. Both are unbiased; they differ in variance and price.</summary>
public enum GradientEstimator
{
    /// <summary>
    /// The path gradient (Roeder, Wu, Duvenaud, arXiv 1703.09194; for flows Vaitl et al., arXiv 2206.09016): only what reaches the loss
    /// through the sample x. The score ∂/∂θ log q_θ(x) at fixed x, whose mean is 0, is left out. At q = p the gradient is 0 for every
    /// sample. It costs one more pass through the flow and back.
    /// </summary>
    Path = 0,

    /// <summary>
    /// The total derivative, score included: plain reparameterization. Cheaper
    /// a step, but noisy near the optimum: at q = p only its mean is 0.
    /// </summary>
    Total = 1,
}
