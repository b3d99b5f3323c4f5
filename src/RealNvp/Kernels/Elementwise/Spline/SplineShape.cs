namespace RealNvp.Kernels;

/// <summary>What a spline does beyond its interval.</summary>
internal enum SplineEnds
{
    /// <summary>It is the identity there, and the derivatives at both edges are 1.</summary>
    Linear,

    /// <summary>It runs on as a line with the derivative of the edge.</summary>
    Box,

    /// <summary>The interval is a circle.</summary>
    Circular,
}

/// <summary>The numbers of a spline that its kernels know.</summary>
internal sealed record SplineShape(int Bins, double Low, double High, SplineEnds Ends, double MinBinSize, double MinDerivative)
{
    /// <summary>A softplus this steep is 1 − MinDerivative at 0, so that parameters of 0 give the derivative 1.</summary>
    public double Steepness => Math.Log(2) / (1 - MinDerivative);

    /// <summary>The derivatives among the parameters of an element.</summary>
    public int Derivatives => Ends switch { SplineEnds.Linear => Bins - 1, SplineEnds.Box => Bins + 1, _ => Bins };

    /// <summary>Whether an element has as many derivatives as a <see cref="SplineRecord{TLanes, T}"/> has numbers.</summary>
    public bool Records => Derivatives >= SplineRecord<Lanes1<float>, float>.Numbers;

    /// <summary>All parameters of an element: widths, heights, derivatives.</summary>
    public int Parameters => (2 * Bins) + Derivatives;
}
