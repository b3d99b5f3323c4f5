namespace RealNvp.Kernels;

/// <summary>
/// An affine map as its kernel computes it: y = (x + p·t)·exp(d·s) + q·t with log|dy/dx| = d·s, where s = a·tanh(r), or log σ(r + 2) where
/// <paramref name="Sigmoid"/>.
/// </summary>
/// <param name="Sigmoid">How s is made of r.</param>
/// <param name="Before">p: what of t is added to x before the scale.</param>
/// <param name="After">q: what of t is added after it.</param>
/// <param name="Direction">d: 1 in a forward map, −1 in an inverse one.</param>
internal readonly record struct AffineForm(bool Sigmoid, float Before, float After, float Direction)
{
    /// <summary>The largest |a|, and so the largest |s|: exp(16) and exp(−16) are numbers in float32.</summary>
    public const double MaxLogScale = 16;

    /// <summary>The smallest r + 2 of a sigmoid; what is below acts as if it were there.</summary>
    public const double MinLogit = -16;

    /// <summary>The form of a map.</summary>
    /// <param name="sigmoid">How s is made of r.</param>
    /// <param name="shiftFirst">Whether the forward map adds t before it scales.</param>
    /// <param name="inverse">Whether it is the inverse.</param>
    public static AffineForm Of(bool sigmoid, bool shiftFirst, bool inverse) => (shiftFirst, inverse) switch
    {
        (false, false) => new(sigmoid, 0, 1, 1),
        (false, true) => new(sigmoid, -1, 0, -1),
        (true, false) => new(sigmoid, 1, 0, 1),
        (true, true) => new(sigmoid, 0, -1, -1),
    };
}
