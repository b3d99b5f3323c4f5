using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tables;

/// <summary>The normal distribution in logarithms, and the edges of cells.</summary>
internal static class HeadMath
{
    // below, erfc of float32 has no digits any more, and the series has them
    private const double Far = -8;
    // as a part of the distance from 0: float32 has three digits of such a difference
    private const double LeastWidth = 1e-4;
    private static readonly double logTwoPi = Math.Log(2 * Math.PI);

    /// <summary>log of the standard normal density.</summary>
    public static Tensor LogDensity(Tensor y) => Gaussian.MinusHalfSquare(y).sub(Scalars.Of(0.5 * logTwoPi));

    /// <summary>The standard normal distribution function.</summary>
    public static Tensor Distribution(Tensor y) => y.mul(Scalars.Of(-Math.Sqrt(0.5))).erfc().mul(Scalars.Half);

    /// <summary>Its inverse, for u in (0, 1).</summary>
    public static Tensor Quantile(Tensor u) => u.mul(Scalars.Two).sub(Scalars.One).erfinv().mul(Scalars.Of(Math.Sqrt(2)));

    /// <summary>log Φ(y), finite for finite y.</summary>
    public static Tensor LogDistribution(Tensor y)
    {
        var near = Distribution(y.clamp_min(Scalars.Of(Far))).log();
        var far = y.clamp_max(Scalars.Of(Far));
        // Φ(y) = φ(y)/|y| (1 − 1/y² + 3/y⁴ − 15/y⁶ + ...)
        var r = far.pow(Scalars.Two).reciprocal();
        var series = r.mul(Scalars.Of(-15)).add(Scalars.Of(3), Scalars.One).mul(r).sub(Scalars.One).mul(r).log1p();
        return where(y.lt(Scalars.Of(Far)), LogDensity(far).sub(far.neg().log()).add(series, Scalars.One), near);
    }

    /// <summary>log(Φ(b) − Φ(a)) for a &lt; b, finite for finite a and b, also if they are one number in the dtype.</summary>
    /// <param name="a">Any shape.</param>
    /// <param name="b">The same.</param>
    /// <param name="logWidth">log(b − a), had in another way.</param>
    public static Tensor LogMass(Tensor a, Tensor b, Tensor logWidth)
    {
        // in the upper half the difference of the two would be one of numbers near 1
        var upper = a.add(b, Scalars.One).gt(Scalars.Zero);
        var (low, high) = (where(upper, b.neg(), a), where(upper, a.neg(), b));
        var difference = b.sub(a);
        // of narrow cells far out the difference has few digits, or none
        var hasDigits = difference.gt(low.add(high, Scalars.One).abs().mul(Scalars.Half).add(Scalars.One, Scalars.One)
            .mul(Scalars.Of(LeastWidth)));
        var width = difference.clamp_min(Scalars.Of(LeastWidth));
        logWidth = where(hasDigits, width.log(), logWidth);
        var (logLow, logHigh) = (LogDistribution(low), LogDistribution(high));
        var wide = logHigh.add(logLow.sub(logHigh).clamp_max(Scalars.Of(-1e-6)).expm1().neg().log(), Scalars.One);
        // a narrow cell has the density of its middle: the next term is h² (m² − 1)/24
        var middle = low.add(high, Scalars.One).mul(Scalars.Half);
        var h2 = width.pow(Scalars.Two);
        var correction = middle.pow(Scalars.Two).sub(Scalars.One).mul(h2).mul(Scalars.Of(1.0 / 24)).clamp(Scalars.MinusHalf, Scalars.Half);
        var narrow = LogDensity(middle).add(logWidth, Scalars.One).add(correction, Scalars.One);
        var isNarrow = h2.mul(middle.pow(Scalars.Two).add(Scalars.One, Scalars.One)).lt(Scalars.Of(1e-2));
        return where(isNarrow.logical_or(hasDigits.logical_not()), narrow, wide);
    }

    /// <summary>Codes of ordered levels in −1 to 1.</summary>
    public static Tensor PlaceInOrder(Tensor codes, ColumnHead head) => codes.mul(Scalars.Of(2.0 / (head.Levels - 1))).sub(Scalars.One);

    /// <summary>The place of an edge, or of a middle, of cells on the line of about standard normal numbers.</summary>
    /// <param name="steps">Any shape, in steps.</param>
    /// <param name="head">The column.</param>
    public static Tensor EdgeCode(Tensor steps, ColumnHead head)
    {
        var numbers = head.Numbers;
        var t = head.HeavyTails ? steps.mul(Scalars.Of(1 / numbers.Scale)).asinh() : steps;
        return t.sub(Scalars.Of(numbers.Mean)).mul(Scalars.Of(1 / numbers.Deviation));
    }

    /// <summary>log of its derivative.</summary>
    public static Tensor LogEdgeDerivative(Tensor steps, ColumnHead head)
    {
        using Scalar log = Scalars.New(-Math.Log(head.Numbers.Deviation) - (head.HeavyTails ? Math.Log(head.Numbers.Scale) : 0));
        var flat = head.HeavyTails
            ? Gaussian.LogOnePlusSquare(steps.abs().mul(Scalars.Of(1 / head.Numbers.Scale))).mul(Scalars.MinusHalf) : zeros_like(steps);
        return flat.add(log, Scalars.One);
    }

    /// <summary>The number of steps, with a fraction, at a place on that line.</summary>
    public static Tensor Steps(Tensor code, ColumnHead head)
    {
        var numbers = head.Numbers;
        var t = code.mul(Scalars.Of(numbers.Deviation)).add(Scalars.Of(numbers.Mean), Scalars.One);
        return head.HeavyTails ? t.sinh().mul(Scalars.Of(numbers.Scale)) : t;
    }
}
