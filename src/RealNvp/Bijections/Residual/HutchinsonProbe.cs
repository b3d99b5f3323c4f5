namespace RealNvp;

/// <summary>The random vectors ε of an estimate of a trace, E[εᵀAε] = tr A (Hutchinson).</summary>
public enum HutchinsonProbe
{
    /// <summary>1 or −1: the diagonal adds no variance.</summary>
    Rademacher,

    /// <summary>Standard normal numbers.</summary>
    Gaussian,
}
