namespace RealNvp;

/// <summary>How two samples were compared.</summary>
public enum TwoSampleKind
{
    /// <summary>Classifier two-sample test: how well a classifier tells held-out rows of the samples apart.</summary>
    C2st,

    /// <summary>Maximum mean discrepancy: the distance of the means of the samples in the space of a kernel.</summary>
    Mmd,

    /// <summary>Sliced Wasserstein distance: how far values must move on
    /// average to make the samples alike, over random directions.</summary>
    SlicedWasserstein,
}
