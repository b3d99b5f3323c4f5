using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>The gradients of the numbers of a bin, from those of y and of log y'.</summary>
/// <remarks>Notation of <see cref="SplineCurve{TLanes, T}"/>. Each number here is the sum of one term of y, of one sign, and one of log y'.</remarks>
internal struct SplineSlopes<TLanes, T> where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Of the input.</summary>
    public TLanes Input;

    /// <summary>Of the left knot, which is that of each width before the bin; of the bin's width; and their difference.</summary>
    public TLanes WidthBefore, WidthHere, WidthChange;

    /// <summary>Of the lower knot, of the bin's height, and their difference.</summary>
    public TLanes HeightBefore, HeightHere, HeightChange;

    /// <summary>Of the derivatives at the knots.</summary>
    public TLanes Left, Right;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compute(in SplineCurve<TLanes, T> curve, in SplineBin<TLanes> bin, TLanes ofValue, TLanes ofLog, bool inverse, out SplineSlopes<TLanes, T> slopes)
    {
        var one = LaneMath<TLanes, T>.Number(1);
        var (t, u, s, l, r) = (curve.At, curve.Rest, curve.Slope, curve.Left, curve.Right);
        var inverseBelow = one / curve.Below;
        var inverseSteepness = one / curve.Steepness;
        var inverseWidth = one / bin.X.Size;
        // all by D
        var (slope, left, right) = (s * inverseBelow, l * inverseBelow, r * inverseBelow);
        var (tt, uu, tu) = (t * t, u * u, t * u);
        var knots = left + right;
        var (twiceSlope, twiceS) = (slope + slope, s + s);
        var steepness = curve.Steepness * inverseBelow;

        // −∂y/∂w = s (s/D) t² (r t (1 + u) + 2 s u + l u²)/D, and with the sides exchanged what is left of ∂y/∂x
        var steep = s * slope;
        var nearWidth = steep * tt * TLanes.MultiplyAdd(right * t, one + u, TLanes.MultiplyAdd(twiceSlope, u, left * uu));
        var farWidth = steep * uu * TLanes.MultiplyAdd(left * u, one + t, TLanes.MultiplyAdd(twiceSlope, t, right * tt));
        // ∂ log y'/∂w and ∂ log y'/∂x in the same two parts
        var nearLog = t * inverseWidth * (TLanes.MultiplyAdd(u, twiceS - l, t * (r - s)) * inverseSteepness + TLanes.MultiplyAdd(knots, t, twiceSlope * (u - t)));
        var farLog = -(u * inverseWidth * (TLanes.MultiplyAdd(t, twiceS - r, u * (l - s)) * inverseSteepness + TLanes.MultiplyAdd(knots, u, twiceSlope * (t - u))));
        (nearLog, farLog) = (nearLog + nearLog, farLog + farLog);

        if (inverse)
        {
            var derivative = steep * steepness;
            ofLog = -ofLog;
            var input = (ofValue + (ofLog * (nearLog + farLog))) / derivative;
            slopes.Input = input;
            // the root moves with its bin, and the derivative stays
            slopes.WidthBefore = ofValue;
            ofValue = -input;
        }
        else
        {
            slopes.Input = slopes.WidthBefore = default;
        }
        var near = TLanes.MultiplyAdd(ofValue, nearWidth, ofLog * nearLog);
        var far = TLanes.MultiplyAdd(ofValue, farWidth, ofLog * farLog);
        if (!inverse)
        {
            slopes.Input = near + far;
            slopes.WidthBefore = -slopes.Input;
        }
        slopes.WidthHere = -near;
        slopes.WidthChange = -far;

        // ∂y/∂h at a fixed w, and 1 − ∂y/∂h
        var square = slope * (tt + uu);
        var nearHeight = TLanes.MultiplyAdd(slope * tt, square + (tu + tu) * knots, left * tu * (knots * tu));
        var farHeight = TLanes.MultiplyAdd(slope * uu, square + (tu + tu) * knots, right * tu * (knots * tu));
        var logHeight = ofLog * (inverseWidth * (tu + tu) * (inverseSteepness + (knots / s)));
        slopes.HeightBefore = ofValue;
        slopes.HeightHere = TLanes.MultiplyAdd(ofValue, nearHeight, logHeight);
        slopes.HeightChange = TLanes.MultiplyAdd(ofValue, farHeight, -logHeight);

        var move = ofValue * bin.Y.Size * (tu * inverseBelow);
        var twice = (tu + tu) * inverseBelow;
        slopes.Left = TLanes.MultiplyAdd(move, TLanes.MultiplyAdd(slope, uu, right * tu), ofLog * ((uu * inverseSteepness) - twice));
        slopes.Right = TLanes.MultiplyAdd(-move, TLanes.MultiplyAdd(slope, tt, left * tu), ofLog * ((tt * inverseSteepness) - twice));
    }

    /// <summary>Sets the gradients of parameters to 0 in lanes outside.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Keep(TLanes inside)
    {
        var zero = TLanes.Create(T.Zero);
        WidthBefore = TLanes.Select(inside, WidthBefore, zero);
        WidthHere = TLanes.Select(inside, WidthHere, zero);
        WidthChange = TLanes.Select(inside, WidthChange, zero);
        HeightBefore = TLanes.Select(inside, HeightBefore, zero);
        HeightHere = TLanes.Select(inside, HeightHere, zero);
        HeightChange = TLanes.Select(inside, HeightChange, zero);
        Left = TLanes.Select(inside, Left, zero);
        Right = TLanes.Select(inside, Right, zero);
    }
}
