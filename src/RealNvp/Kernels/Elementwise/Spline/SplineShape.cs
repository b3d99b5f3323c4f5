namespace RealNvp.Kernels;

/// <summary>What the spline kernels know of a <see cref="SplineTransformer"/>.</summary>
internal sealed record SplineShape(int Bins, double Low, double High, SplineTails Tails, double MinBinSize, double MinDerivative)
{
    /// <summary>A softplus this steep is 1 − MinDerivative at 0, so that parameters of 0 give the derivative 1.</summary>
    public double Steepness => Math.Log(2) / (1 - MinDerivative);

    /// <summary>The derivatives among the parameters of an element.</summary>
    public int Derivatives => Tails switch { SplineTails.Linear => Bins - 1, SplineTails.Box => Bins + 1, _ => Bins };

    /// <summary>All parameters of an element: widths, heights, derivatives.</summary>
    public int Parameters => (2 * Bins) + Derivatives;
}
