namespace RealNvp;

/// <summary>What a log-probability is, from the best to the worst.</summary>
public enum LikelihoodKind
{
    /// <summary>Exact up to rounding.</summary>
    Exact,

    /// <summary>Exact but for the error of a numerical method, such as a solver
    /// of differential equations, whose tolerance is stated.</summary>
    Numerical,

    /// <summary>Off by at most a stated number of nats, such as a power series of which some terms are left out.</summary>
    Truncated,

    /// <summary>Random, right on average over its noise, and with a standard error.</summary>
    Estimate,

    /// <summary>On average over its noise not above log p(x), as the probability of integers that are dequantized.</summary>
    LowerBound,
}
