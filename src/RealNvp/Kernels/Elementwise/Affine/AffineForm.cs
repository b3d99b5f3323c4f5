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
    public static AffineForm Of(bool sigmoid, AffineOrder order, bool inverse) => (order, inverse) switch
    {
        (AffineOrder.ScaleThenShift, false) => new(sigmoid, 0, 1, 1),
        (AffineOrder.ScaleThenShift, true) => new(sigmoid, -1, 0, -1),
        (_, false) => new(sigmoid, 1, 0, 1),
        _ => new(sigmoid, 0, -1, -1),
    };
}
