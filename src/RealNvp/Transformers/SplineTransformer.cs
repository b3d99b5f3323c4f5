using RealNvp.Kernels;
using RealNvp.Operations;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A monotonic rational-quadratic spline of K bins on an interval, which maps the interval onto itself (Neural Spline Flows,
/// arXiv 1906.04032, section 3.1, equations 4 to 8).
/// </summary>
/// <remarks>
/// <para>The parameters of an element, each for all channels before the next: K for the widths of the bins
/// (a softmax), K for the heights (a softmax), and the derivatives at the knots (a softplus): K - 1, K + 1
/// or K of them, by the <see cref="Tails"/>. Parameters of 0 are the identity up to rounding.</para>
/// <para>Widths and heights are at least <see cref="MinBinSize"/> of the interval and derivatives at least <see cref="MinDerivative"/>, so
/// value and log-derivative are finite for every finite input. The inverse is the exact root of a quadratic, by the formula without
/// cancellation on each side. It has no weights of its own.</para>
/// </remarks>
public sealed partial class SplineTransformer : ScalarTransformer
{
    /// <summary>The smallest width and height of a bin, as a part of the interval, unless the constructor says otherwise: 0.001.</summary>
    public const double MinBinSize = 1e-3;

    /// <summary>The smallest derivative at a knot, unless the constructor says otherwise: 0.001.</summary>
    public const double MinDerivative = 1e-3;

    /// <summary>Makes the transformer on [-bound, bound].</summary>
    /// <param name="bins">K, the number of bins, 1 to 64.</param>
    /// <param name="bound">The upper edge; positive.</param>
    /// <param name="tails">What happens at the edges.</param>
    public SplineTransformer(int bins = 8, double bound = 3, SplineTails tails = SplineTails.Linear) : this(bins, -bound, bound, tails) { }

    /// <summary>Makes the transformer on [low, high].</summary>
    /// <param name="bins">K, the number of bins, 1 to 64.</param>
    /// <param name="low">The lower edge.</param>
    /// <param name="high">The upper edge; above <paramref name="low"/>.</param>
    /// <param name="tails">What happens at the edges.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number of bins that
    /// is not 1 to 64, or edges that are no finite interval.</exception>
    public SplineTransformer(int bins, double low, double high, SplineTails tails)
        : this(bins, low, high, tails, MinBinSize, MinDerivative) { }

    /// <summary>Makes the transformer on [low, high], with floors of its own for bins and derivatives.</summary>
    /// <param name="bins">K, the number of bins, 1 to 64.</param>
    /// <param name="low">The lower edge.</param>
    /// <param name="high">The upper edge; above <paramref name="low"/>.</param>
    /// <param name="tails">What happens at the edges.</param>
    /// <param name="minBinSize">The smallest width and height of a bin, as a part of the interval:
    /// 1e-6 or more, and less than 1/K. The smaller, the fewer digits the inverse has.</param>
    /// <param name="minDerivative">The smallest derivative at a knot, in
    /// 1e-6 ... 0.5. Parameters of 0 give the derivative 1 for any.</param>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of its range.</exception>
    public SplineTransformer(int bins, double low, double high, SplineTails tails, double minBinSize, double minDerivative)
        : base(nameof(SplineTransformer))
    {
        if (bins is < 1 or > 64) throw new ArgumentOutOfRangeException(nameof(bins), bins, "The number of bins must be 1 to 64.");
        Internal.Ranges.Interval(low, high, "The interval of a spline");
        if (!Enum.IsDefined(tails)) throw new ArgumentOutOfRangeException(nameof(tails), tails, "Unknown tails.");
        if (!(Internal.Ranges.SmallestBin.Holds(minBinSize) && minBinSize * bins < 1))
            throw new ArgumentOutOfRangeException(nameof(minBinSize), minBinSize,
                FormattableString.Invariant(
                $"The smallest bin must be at least 1e-6 of the interval, and {bins} of it less than the interval."));
        Internal.Ranges.SmallestDerivative.Require(minDerivative, nameof(minDerivative), "The smallest derivative");
        (Bins, Low, High, Tails, SmallestBin, SmallestDerivative) = (bins, low, high, tails, minBinSize, minDerivative);
        Map = new SplineMap(new SplineShape(bins, low, high, Ends(tails), minBinSize, minDerivative));
        RegisterComponents();
    }

    /// <summary>K, the number of bins.</summary>
    public int Bins { get; }

    /// <summary>The lower edge of the interval.</summary>
    public double Low { get; }

    /// <summary>The upper edge of the interval.</summary>
    public double High { get; }

    /// <summary>What happens at the edges.</summary>
    public SplineTails Tails { get; }

    /// <summary>The smallest width and height of a bin, as a part of the interval.</summary>
    public double SmallestBin { get; }

    /// <summary>The smallest derivative at a knot.</summary>
    public double SmallestDerivative { get; }

    /// <inheritdoc/>
    public override int ParametersPerElement => Map.Parameters;

    /// <inheritdoc/>
    public override bool IsIdentityAtZeroExactly => false;

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Forward(Tensor x, Tensor parameters) =>
        Apply(x, nameof(x), parameters, inverse: false);

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Inverse(Tensor y, Tensor parameters) =>
        Apply(y, nameof(y), parameters, inverse: true);

    /// <inheritdoc/>
    public override Circle? CircleOf(int feature) => Tails == SplineTails.Circular ? new Circle(feature, Low, High) : null;

    internal override ElementwiseMap Map { get; }

    private static SplineEnds Ends(SplineTails tails) => tails switch
    {
        SplineTails.Linear => SplineEnds.Linear,
        SplineTails.Box => SplineEnds.Box,
        _ => SplineEnds.Circular,
    };
}
