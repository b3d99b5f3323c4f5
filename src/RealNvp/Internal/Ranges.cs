using System.Globalization;

namespace RealNvp.Internal;

/// <summary>A range of an option, and what goes wrong outside of it: the rule of messages.</summary>
internal sealed record NumberRange(double Least, double Most, string Why)
{
    /// <summary>The range of before, in which values of files may be; null if it is the same.</summary>
    public (double Least, double Most)? Older { get; init; }

    /// <summary>Whether a value may be chosen.</summary>
    public bool Holds(double value) => value >= Least && value <= Most;

    /// <summary>Whether a value may stand in a file, which may be older than the range.</summary>
    public bool HoldsInFile(double value) => Older is (var least, var most) ? value >= least && value <= most : Holds(value);

    public string Rule => FormattableString.Invariant($"must be in {Least} ... {Most}: {Why}");

    /// <summary>The value, if it is in the range.</summary>
    public double Require(double value, string parameter, string what) => (Weights.IsLimited ? HoldsInFile(value) : Holds(value)) ? value
        : throw new ArgumentOutOfRangeException(parameter, value, $"{what} {Rule}.");
}

/// <summary>The ranges of options whose values could be finite but meaningless: layers and records of options share them.</summary>
/// <remarks>Each is as wide as models keep their digits, which OptionExtremesTests measures; see docs/decisions.</remarks>
internal static class Ranges
{
    private static readonly (double Least, double Most) positive = (double.Epsilon, double.MaxValue);
    private const double Narrowest = 1e-6, Widest = 1e9, LeastPart = 1e-3;

    // a bin may be a thousandth of the interval and a slope a thousand, so rounding
    // of a knot moves a value by up to Bound · 1e-7 · 1e3, in each layer
    public static NumberRange Bound { get; } = new(1e-2, 100,
        "splines lose their digits on a wider interval; scale the data to it, as Standardize does") { Older = positive };

    public static NumberRange LogitAlpha { get; } = new(1e-6, 0.49,
        "nearer to 0, the edges of the data have no logit in float32; nearer to 0.5, all data become one number") { Older = (double.Epsilon,
        Math.BitDecrement(0.5)) };

    public static NumberRange InputLimit { get; } = new(1e-2, 1e6,
        "below, a network cannot tell its inputs apart; above, nothing is limited, so leave it null") { Older = positive };

    public static NumberRange Dropout { get; } = new(0, 0.9, "above, too little of a network is left to learn by");

    public static NumberRange TailThreshold { get; } = new(0.1, 1e6,
        "below, samples of the tails leave the numbers of float32; above, no tail is drawn in, so leave it out") { Older = positive };

    public static NumberRange SmallestBin { get; } = new(1e-6, 1, "a smaller bin has no digits in float32");

    public static NumberRange SmallestDerivative { get; } = new(1e-6, 0.5,
        "below, the inverse has no digits in float32; above, a spline hardly bends");

    public static NumberRange Momentum { get; } = new(0, 0.9999,
        "above, running statistics stay what they were at the start, and evaluation uses others than training") { Older = (0,
        Math.BitDecrement(1.0)) };

    public static NumberRange BatchNormEpsilon { get; } = new(1e-12, 1,
        "below, a constant feature is divided by nearly nothing; above, features are no longer normalized");

    public static NumberRange LearningRate { get; } = new(double.Epsilon, 10, "above, a step is larger than any weight of use")
    {
        Older = positive,
    };

    public static NumberRange WeightNormDecay { get; } = new(0, 1, "above, the penalty alone is learned") { Older = (0, double.MaxValue) };

    public static NumberRange WeightDecay { get; } = new(0, 1, "above, the penalty alone is learned");

    public static NumberRange MaxGradientNorm { get; } = new(1e-6, double.MaxValue,
        "below, nothing is learned, as gradients vanish beside the epsilon of Adam") { Older = positive };

    public static NumberRange AdamEpsilon { get; } = new(1e-30, 1,
        "below, it is 0 in float32, and a weight without gradient becomes NaN; above, steps vanish") { Older = positive };

    /// <summary>The edges of a circle or an interval: positions on it have four digits or more in float32.</summary>
    public static void Interval(double low, double high, string what)
    {
        if (!(low < high) || !double.IsFinite(high - low))
            throw new ArgumentOutOfRangeException(nameof(high), high,
                FormattableString.Invariant($"{what} needs finite edges with low < high; got [{low}, {high}]."));
        if (!IsPrecise(low, high) && !Weights.IsLimited)
            throw new ArgumentOutOfRangeException(nameof(high), high,
                string.Create(CultureInfo.InvariantCulture,
                $"{what} must be {Narrowest} to {Widest} wide, and at least {LeastPart} of its edges, else positions on it have no " +
                $"digits in float32; got [{low}, {high}]. Shift or scale the data."));
    }

    /// <summary>Whether finite edges are those of an interval on which float32 has digits.</summary>
    public static bool IsPrecise(double low, double high) =>
        high - low is >= Narrowest and <= Widest && high - low >= LeastPart * Math.Max(Math.Abs(low), Math.Abs(high));
}
