namespace RealNvp;

/// <summary>The activation of a network with a known Lipschitz bound.</summary>
public enum ActivationKind
{
    /// <summary>x·σ(βx)/1.1 with a learned β (Residual Flows, arXiv 1906.02735, section 3.3).</summary>
    LipSwish,

    /// <summary>x if it is positive, and eˣ − 1 otherwise (i-ResNets, arXiv 1811.00995).</summary>
    Elu,

    /// <summary>Both LipSwish(x) and LipSwish(−x), over 1.004: twice the features (i-DenseNets, arXiv 2102.02694).</summary>
    CLipSwish,
}
