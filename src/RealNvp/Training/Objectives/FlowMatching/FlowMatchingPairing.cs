namespace RealNvp;

/// <summary>Which latent of a batch goes to which example.</summary>
public enum FlowMatchingPairing
{
    /// <summary>Any: each latent is drawn for itself.</summary>
    Independent,

    /// <summary>
    /// The pairs of a batch that have the smallest sum of squared distances, by an exact assignment (arXiv 2302.00482,
    /// section 3.2). Paths cross less, so a solver takes fewer steps, and the loss varies less. It takes N³ steps at worst.
    /// </summary>
    OptimalTransport,

    /// <summary>Pairs that are drawn from the entropic transport plan of the batch
    /// (Sinkhorn), which is cheaper for large batches and between the two others.</summary>
    Sinkhorn,
}
