namespace RealNvp;

/// <summary>The order of scale and shift in an affine map.</summary>
public enum AffineOrder
{
    /// <summary>y = x ⊙ exp(s) + t, as in the paper (Real NVP, equation 4).</summary>
    ScaleThenShift,

    /// <summary>y = (x + t) ⊙ exp(s), as in the original code, whose weights need it.</summary>
    ShiftThenScale,
}
