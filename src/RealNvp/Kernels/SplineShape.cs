namespace RealNvp.Kernels;

/// <summary>What the spline kernels know of a <see cref="SplineTransformer"/>.</summary>
internal sealed record SplineShape(int Bins, double Low, double High, SplineTails Tails)
{
    /// <summary>The derivatives among the parameters of an element.</summary>
    public int Derivatives => Tails switch { SplineTails.Linear => Bins - 1, SplineTails.Box => Bins + 1, _ => Bins };

    /// <summary>All parameters of an element: widths, heights, derivatives.</summary>
    public int Parameters => (2 * Bins) + Derivatives;
}
