namespace RealNvp;

/// <summary>How a <see cref="ContinuousLayer"/> has the divergence Σᵢ ∂vᵢ/∂xᵢ of its dynamics.</summary>
public enum DivergenceKind
{
    /// <summary><see cref="Exact"/> up to <see cref="ContinuousOptions.ExactUpTo"/> elements,
    /// or if the dynamics have a cheap one; else <see cref="Hutchinson"/>.</summary>
    Automatic,

    /// <summary>Exact, from D derivatives.</summary>
    Exact,

    /// <summary>The mean of εᵀJε over k random ε, which stay the same during a solve: unbiased (FFJORD, arXiv 1810.01367).</summary>
    Hutchinson,

    /// <summary>
    /// Exact in the k directions that J maps random vectors to, Hutchinson in the rest, with k
    /// probes: unbiased, and of smaller variance where J has a few large directions (Hutch++,
    /// arXiv 2010.09649). Three times the products of <see cref="Hutchinson"/> with the same k.
    /// </summary>
    HutchPlusPlus,
}
