using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>
/// The curve in the bins of a vector of values (Neural Spline Flows, arXiv 1906.04032, equations 4 to 8) at t = θ and u = 1 − θ:
/// y = Y + h A/D, y' = s² P/D² with A = s t² + l t u, D = s (t² + u²) + (l + r) t u, P = r t² + 2 s t u + l u², and the slope s = h/w.
/// </summary>
/// <remarks>
/// All sums but differences that the mathematics has are of terms of one sign, so that nothing cancels in steep or flat bins; derivatives
/// are written with quotients by D, so that squares of large numbers don't overflow.
/// </remarks>
internal struct SplineCurve<TLanes, T> where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>θ and 1 − θ.</summary>
    public TLanes At, Rest;

    /// <summary>The slope of the bin's diagonal, and the derivatives at its knots.</summary>
    public TLanes Slope, Left, Right;

    /// <summary>The derivatives of <see cref="Left"/> and <see cref="Right"/> by their parameters.</summary>
    public TLanes LeftRate, RightRate;

    /// <summary>D and P.</summary>
    public TLanes Below, Steepness;

    /// <summary>Lanes whose bin is the last one: it is measured from the upper edge, which has no rounding.</summary>
    public TLanes IsLast;

    /// <summary>The place in the bin of x = <paramref name="value"/>, or of the x with y = <paramref name="value"/>.</summary>
    /// <param name="value">Values inside of the interval.</param>
    /// <param name="inverse">Whether they are on the axis of heights.</param>
    /// <param name="bin">Their bins.</param>
    /// <param name="search">Knows the upper edge and the derivatives of parameters.</param>
    /// <param name="linear">Whether the tails are linear, so that the derivative at both edges is 1.</param>
    /// <param name="last">The number of the last bin.</param>
    /// <param name="curve">The result.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Locate(in TLanes value, bool inverse, in SplineBin<TLanes> bin, in SplineSearch<TLanes, T> search, bool linear,
        T last, out SplineCurve<TLanes, T> curve)
    {
        Unsafe.SkipInit(out curve);
        var one = TLanes.Number(1);
        search.Derivative(bin.Left, out curve.Left, out curve.LeftRate);
        search.Derivative(bin.Right, out curve.Right, out curve.RightRate);
        curve.IsLast = TLanes.Same(bin.Index, TLanes.Create(last));
        if (linear)
        {
            curve.Left = TLanes.Select(TLanes.Same(bin.Index, TLanes.Number(0)), one, curve.Left);
            curve.Right = TLanes.Select(curve.IsLast, one, curve.Right);
        }
        curve.Slope = bin.Y.Size / bin.X.Size;
        ref readonly var axis = ref inverse ? ref bin.Y : ref bin.X;
        var below = LaneMath<TLanes, T>.Unit((value - axis.Knot - axis.KnotRest) / axis.Size);
        var above = TLanes.Select(curve.IsLast, LaneMath<TLanes, T>.Unit((TLanes.Create(search.High) - value) / axis.Size), one - below);
        (curve.At, curve.Rest) = (below, above);
        if (inverse) Root(below, above, ref curve);
        curve.Sum();
    }

    /// <summary>θ of η and 1 − η.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Root(in TLanes below, in TLanes above, ref SplineCurve<TLanes, T> curve)
    {
        // a θ² + b θ − s η = 0 with b = q + 2 s η: its discriminant as a sum of squares, and the root whose terms have one sign,
        // from the left or from the right
        var one = TLanes.Number(1);
        var q = (curve.Left * above) - (curve.Right * below);
        var twice = curve.Slope + curve.Slope;
        var root = TLanes.Sqrt(TLanes.MultiplyAdd(q, q, twice * twice * below * above));
        var fromLeft = TLanes.AtLeast(q, TLanes.Number(0));
        var part = twice * TLanes.Select(fromLeft, below, above);
        var near = TLanes.Min(one, part / (TLanes.Abs(q) + part + root));
        var far = one - near;
        curve.At = TLanes.Select(fromLeft, near, far);
        curve.Rest = TLanes.Select(fromLeft, far, near);
    }

    /// <summary>Computes D and P.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Sum()
    {
        var (t, u) = (At, Rest);
        var both = t * u;
        Below = TLanes.MultiplyAdd(Slope, TLanes.MultiplyAdd(t, t, u * u), (Left + Right) * both);
        Steepness = (Right * t * t) + ((Slope + Slope) * both) + (Left * u * u);
    }

    /// <summary>y.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly TLanes Y(in SplineAxis<TLanes> axis, T high)
    {
        // the part of the bin's height that is below, or of the last one that is above
        var lower = TLanes.MultiplyAdd(Slope, At, Left * Rest) * At;
        var upper = TLanes.MultiplyAdd(Slope, Rest, Right * At) * Rest;
        return From(axis, high, TLanes.Select(IsLast, upper, lower) / Below);
    }

    /// <summary>x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly TLanes X(in SplineAxis<TLanes> axis, T high) => From(axis, high, TLanes.Select(IsLast, Rest, At));

    private readonly TLanes From(in SplineAxis<TLanes> axis, T high, TLanes part) =>
        TLanes.Select(IsLast, TLanes.MultiplyAdd(-axis.Size, part, TLanes.Create(high)), axis.Knot + TLanes.MultiplyAdd(axis.Size, part,
            axis.KnotRest));

    /// <summary>log y'.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly TLanes LogDerivative()
    {
        // each logarithm on its own: the product can be too small for its dtype
        var quotient = TLanes.Log(TLanes.Max(Smallest, Slope / Below));
        return TLanes.Log(Steepness) + (quotient + quotient);
    }

    /// <summary>y'.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly TLanes Derivative()
    {
        var quotient = TLanes.Max(Smallest, Slope / Below);
        return Steepness * quotient * quotient;
    }

    private static TLanes Smallest => TLanes.Number(SmallestNormal.Of<T>());
}
