namespace RealNvp;

/// <summary>What the score of a row says. docs/anomalies.md compares them.</summary>
public enum AnomalyScoreKind
{
    /// <summary>−log p(x): how thin ordinary rows are there. In units of the columns, so that another unit adds a constant.</summary>
    Density = 0,

    /// <summary>
    /// −log p of the latents z = f(x): how far from the middle of the latents the row lies. Unlike a density it does not depend on units,
    /// nor on how a flow stretches space where it has seen no rows.
    /// </summary>
    Latent = 1,

    /// <summary>
    /// |−log p(x) − H|, with the mean H of ordinary rows: how far from typical the density is, whether too low or too high
    /// (Nalisnick et al., arXiv 1906.02994, for one row). Finds rows that are more alike than ordinary ones; misses those of usual density.
    /// </summary>
    Typicality = 2,
}
