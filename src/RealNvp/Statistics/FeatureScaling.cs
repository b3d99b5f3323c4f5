namespace RealNvp;

/// <summary>Which numbers of the data centre and scale each feature.</summary>
public enum FeatureScaling
{
    /// <summary>Mean and standard deviation. One value far out moves both, and squeezes all others.</summary>
    Moments,

    /// <summary>
    /// Median, and the distance of the quartiles divided by 1.349, which is the standard deviation of a normal:
    /// values far out do not count. If the quartiles are equal, as those of a flag are, the next quantiles that
    /// differ (5 and 95 %, then 1 and 99 %) take their place, and at last the standard deviation.
    /// </summary>
    Quantiles,
}
