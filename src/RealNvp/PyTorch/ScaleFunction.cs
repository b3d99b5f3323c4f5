namespace RealNvp;

/// <summary>How a scale s &gt; 0 comes from a number a of a network, in affine maps of other libraries.</summary>
internal enum ScaleFunction
{
    /// <summary>s = σ(a + 2) + ε.</summary>
    Sigmoid,

    /// <summary>s = softplus(a) + ε.</summary>
    Softplus,

    /// <summary>s = min(softplus(a) + ε, 3).</summary>
    SoftplusUpTo3,

    /// <summary>s = exp(a / (1 + |a / log ε|)).</summary>
    SoftClippedExp,

    /// <summary>s = exp(a).</summary>
    Exp,
}
