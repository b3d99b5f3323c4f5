namespace RealNvp.Checking;

/// <summary>How one check ended.</summary>
public enum FlowCheckOutcome
{
    /// <summary>The law holds within the tolerance.</summary>
    Passed,

    /// <summary>The law does not hold.</summary>
    Failed,

    /// <summary>
    /// Nothing can be said at this special input: the map has a kink there, or the dtype cannot resolve the difference. It counts as no
    /// failure; at ordinary inputs it does not occur, as these fail instead.
    /// </summary>
    Inconclusive,
}
