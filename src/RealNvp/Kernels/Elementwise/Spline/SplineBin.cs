namespace RealNvp.Kernels;

/// <summary>One axis of the bins of a vector of values, whose sizes are a softmax.</summary>
internal struct SplineAxis<TLanes>
{
    /// <summary>The sum of the exponentials, and what rounding took from it.</summary>
    public TLanes Sum, SumRest;

    /// <summary>The share of the interval that an exponential of 1 has, and its relative error.</summary>
    public TLanes Scale, ScaleRest;

    /// <summary>The exponential of the bin, and the sum of those before it with what rounding took from that.</summary>
    public TLanes Own, Before, BeforeRest;

    /// <summary>The knot before the bin, and what rounding took from it.</summary>
    public TLanes Knot, KnotRest;

    /// <summary>The size of the bin.</summary>
    public TLanes Size;
}

/// <summary>For each lane the bin that its value lies in.</summary>
internal struct SplineBin<TLanes>
{
    /// <summary>The number of the bin.</summary>
    public TLanes Index;

    /// <summary>The axes of x and of y.</summary>
    public SplineAxis<TLanes> X, Y;

    /// <summary>The parameters of the derivatives at both knots, as they came.</summary>
    public TLanes Left, Right;
}
