namespace RealNvp;

/// <summary>How the errors of the components of one example become one number.</summary>
public enum OdeNorm
{
    /// <summary>√(Σ wᵢ eᵢ²), the root of the mean square if weights are not given.</summary>
    RootMeanSquare,

    /// <summary>√(max wᵢ eᵢ²), the largest error if weights are not given.</summary>
    Maximum,
}
