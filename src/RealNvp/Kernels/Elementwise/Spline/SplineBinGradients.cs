using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>The gradients of the numbers of a bin, from those of y and of log y'.</summary>
/// <remarks>Notation of <see cref="SplineCurve{TLanes, T}"/>. Each number here
/// is the sum of one term of y, of one sign, and one of log y'.</remarks>
internal struct SplineBinGradients<TLanes, T> where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Of the input.</summary>
    public TLanes Input;

    /// <summary>Of the left knot, which is that of each width before the bin; of the bin's width; and their difference.</summary>
    public TLanes WidthBefore, WidthHere, WidthChange;

    /// <summary>Of the lower knot, of the bin's height, and their difference.</summary>
    public TLanes HeightBefore, HeightHere, HeightChange;

    /// <summary>Of the parameters of the derivatives at the knots.</summary>
    public TLanes Left, Right;

    /// <summary>Computes all of them.</summary>
    /// <param name="curve">The place in the bin.</param>
    /// <param name="bin">The bin.</param>
    /// <param name="ofValue">The gradient of y; of x for the inverse.</param>
    /// <param name="ofLog">The gradient of log y'; of its opposite for the inverse.</param>
    /// <param name="inverse">Whether the map is the inverse.</param>
    /// <param name="gradients">The result.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compute(in SplineCurve<TLanes, T> curve, in SplineBin<TLanes> bin, in TLanes ofValue, in TLanes ofLog, bool inverse,
        out SplineBinGradients<TLanes, T> gradients)
    {
        Unsafe.SkipInit(out gradients);
        // upstream gradients of y and of log y' at a fixed x
        var (upstream, upstreamLog) = (ofValue, inverse ? -ofLog : ofLog);
        var inverseBelow = TLanes.Number(1) / curve.Below;
        var inverseSteepness = TLanes.Number(1) / curve.Steepness;
        Logs(curve, inverseBelow, inverseSteepness, bin.X.Size, out var nearLog, out var farLog);
        if (inverse)
        {
            var derivative = curve.Slope * (curve.Slope * inverseBelow) * (curve.Steepness * inverseBelow);
            gradients.Input = TLanes.MultiplyAdd(upstreamLog, nearLog + farLog, ofValue) / derivative;
            upstream = -gradients.Input;
        }
        Widths(curve, inverseBelow, upstream, upstreamLog * nearLog, upstreamLog * farLog, ref gradients);
        // the root moves with its bin, and the derivative stays
        if (inverse) gradients.WidthBefore = ofValue;
        else gradients.Input = -gradients.WidthBefore;
        Heights(curve, inverseBelow, inverseSteepness, bin, upstream, upstreamLog, ref gradients);
    }

    /// <summary>∂ log y'/∂w = near and ∂ log y'/∂x = near + far.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Logs(in SplineCurve<TLanes, T> curve, in TLanes inverseBelow, in TLanes inverseSteepness, in TLanes width,
        out TLanes near, out TLanes far)
    {
        var (t, u, s, l, r) = (curve.At, curve.Rest, curve.Slope, curve.Left, curve.Right);
        var knots = (l + r) * inverseBelow;
        var twice = s + s;
        var bend = twice * inverseBelow * (u - t);
        var ofNear = TLanes.MultiplyAdd(TLanes.MultiplyAdd(u, twice - l, t * (r - s)), inverseSteepness,
            TLanes.MultiplyAdd(knots, t, bend));
        var ofFar = TLanes.MultiplyAdd(TLanes.MultiplyAdd(t, twice - r, u * (l - s)), inverseSteepness,
            TLanes.MultiplyAdd(knots, u, -bend));
        var scale = TLanes.Number(2) / width;
        near = scale * t * ofNear;
        far = -(scale * u * ofFar);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widths(in SplineCurve<TLanes, T> curve, in TLanes inverseBelow, in TLanes ofValue, in TLanes nearLog,
        in TLanes farLog, ref SplineBinGradients<TLanes, T> gradients)
    {
        var one = TLanes.Number(1);
        var (t, u) = (curve.At, curve.Rest);
        // −∂y/∂w = s (s/D) t² (r t (1 + u) + 2 s u + l u²)/D, and with the sides exchanged what is left of ∂y/∂x
        var (slope, left, right) = (curve.Slope * inverseBelow, curve.Left * inverseBelow, curve.Right * inverseBelow);
        var (tt, uu, twice, steep) = (t * t, u * u, slope + slope, curve.Slope * slope * ofValue);
        var near = TLanes.MultiplyAdd(steep * tt, TLanes.MultiplyAdd(right * t, one + u, TLanes.MultiplyAdd(twice, u, left * uu)), nearLog);
        var far = TLanes.MultiplyAdd(steep * uu, TLanes.MultiplyAdd(left * u, one + t, TLanes.MultiplyAdd(twice, t, right * tt)), farLog);
        gradients.WidthBefore = -(near + far);
        gradients.WidthHere = -near;
        gradients.WidthChange = -far;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Heights(in SplineCurve<TLanes, T> curve, in TLanes inverseBelow, in TLanes inverseSteepness,
        in SplineBin<TLanes> bin, in TLanes ofValue, in TLanes ofLog, ref SplineBinGradients<TLanes, T> gradients)
    {
        var (t, u) = (curve.At, curve.Rest);
        var (slope, left, right) = (curve.Slope * inverseBelow, curve.Left * inverseBelow, curve.Right * inverseBelow);
        var (tt, uu, tu) = (t * t, u * u, t * u);
        var (knots, twice) = (left + right, tu + tu);
        // ∂y/∂h at a fixed w, and 1 − ∂y/∂h
        var middle = TLanes.MultiplyAdd(slope, tt + uu, twice * knots);
        var product = tu * tu * knots;
        var near = TLanes.MultiplyAdd(slope * tt, middle, left * product);
        var far = TLanes.MultiplyAdd(slope * uu, middle, right * product);
        var log = ofLog * twice * (inverseSteepness + (knots / curve.Slope)) / bin.X.Size;
        gradients.HeightBefore = ofValue;
        gradients.HeightHere = TLanes.MultiplyAdd(ofValue, near, log);
        gradients.HeightChange = TLanes.MultiplyAdd(ofValue, far, -log);

        var move = ofValue * bin.Y.Size * (tu * inverseBelow);
        var less = twice * inverseBelow;
        gradients.Left = TLanes.MultiplyAdd(move, TLanes.MultiplyAdd(slope, uu, right * tu),
            ofLog * TLanes.MultiplyAdd(uu, inverseSteepness, -less)) * curve.LeftRate;
        gradients.Right = TLanes.MultiplyAdd(-move, TLanes.MultiplyAdd(slope, tt, left * tu),
            ofLog * TLanes.MultiplyAdd(tt, inverseSteepness, -less)) * curve.RightRate;
    }

    /// <summary>Sets the gradients of parameters to 0 in lanes outside.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Keep(TLanes inside)
    {
        var zero = TLanes.Number(0);
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
