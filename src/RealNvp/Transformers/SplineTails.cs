namespace RealNvp;

/// <summary>What a <see cref="SplineTransformer"/> does at the edges of its interval.</summary>
public enum SplineTails
{
    /// <summary>The identity outside, with derivative 1 at both edges. 3K - 1 parameters an element.</summary>
    Linear,

    /// <summary>
    /// The interval is mapped onto itself, with free derivatives at its edges. A value outside continues along the tangent of the nearer
    /// edge, so that rounding at an edge does no harm. 3K + 1 parameters an element.
    /// </summary>
    Box,

    /// <summary>
    /// The interval is a circle: the derivatives at both edges are the same, and a value outside is mapped as the same angle one or more
    /// turns away (Rezende and others, arXiv 2002.02428). 3K parameters an element.
    /// </summary>
    Circular,
}
