using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A monotonic rational-quadratic spline of K bins on an interval, which maps the interval onto itself (Neural Spline Flows,
/// arXiv 1906.04032, section 3.1, equations 4 to 8).
/// </summary>
/// <remarks>
/// <para>The parameters of an element, each for all channels before the next: K for the widths of the bins (a softmax), K for the heights (a
/// softmax), and the derivatives at the knots (a softplus): K - 1, K + 1 or K of them, by the <see cref="Tails"/>. Parameters of 0 are
/// the identity up to rounding.</para>
/// <para>Widths and heights are at least <see cref="MinBinSize"/> of the interval and derivatives at least <see cref="MinDerivative"/>, so
/// value and log-derivative are finite for every finite input. The inverse is the exact root of a quadratic, by the formula without
/// cancellation on each side. It has no weights of its own.</para>
/// </remarks>
public sealed class SplineTransformer : ScalarTransformer
{
    /// <summary>The smallest width and height of a bin, as a part of the interval: 0.001.</summary>
    public const double MinBinSize = 1e-3;

    /// <summary>The smallest derivative at a knot: 0.001.</summary>
    public const double MinDerivative = 1e-3;

    // a softplus this steep is 1 - MinDerivative at 0, so zero parameters give derivative 1
    private static readonly Scalar steepness = Math.Log(2) / (1 - MinDerivative), flatness = (1 - MinDerivative) / Math.Log(2), min_derivative = MinDerivative;
    private static readonly Scalar smallest = 1e-30;
    private readonly Scalar low, high, bin_floor, bin_share, period;

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
    /// <exception cref="ArgumentOutOfRangeException">A number of bins that is not 1 to 64, or edges that are no finite interval.</exception>
    public SplineTransformer(int bins, double low, double high, SplineTails tails) : base(nameof(SplineTransformer))
    {
        if (bins is < 1 or > 64) throw new ArgumentOutOfRangeException(nameof(bins), bins, "The number of bins must be 1 to 64.");
        if (!(low < high) || !double.IsFinite(high - low)) throw new ArgumentOutOfRangeException(nameof(high), high, FormattableString.Invariant($"The spline needs a finite interval with low < high; got [{low}, {high}]."));
        if (!Enum.IsDefined(tails)) throw new ArgumentOutOfRangeException(nameof(tails), tails, "Unknown tails.");
        (Bins, Low, High, Tails) = (bins, low, high, tails);
        (this.low, this.high, period) = (low, high, high - low);
        (bin_floor, bin_share) = ((high - low) * MinBinSize, (high - low) * (1 - (MinBinSize * bins)));
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

    /// <inheritdoc/>
    public override int ParametersPerElement => (2 * Bins) + Derivatives;

    /// <inheritdoc/>
    public override bool IsIdentityAtZeroExactly => false;

    private int Derivatives => Tails switch { SplineTails.Linear => Bins - 1, SplineTails.Box => Bins + 1, _ => Bins };

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Forward(Tensor x, Tensor parameters) => Apply(x, parameters, inverse: false);

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Inverse(Tensor y, Tensor parameters) => Apply(y, parameters, inverse: true);

    private (Tensor, Tensor?) Apply(Tensor input, Tensor parameters, bool inverse)
    {
        CheckParameters(input, parameters);
        using var scope = NewDisposeScope();
        var inside = Tails == SplineTails.Circular ? OnCircle(input) : input.clamp(low, high);
        var bin = Bin(inside, parameters, inverse);
        var (value, logDerivative) = inverse ? Root(inside, bin) : Quotient(inside, bin);
        switch (Tails)
        {
            case SplineTails.Linear:
                var within = input.ge(low).logical_and(input.le(high));
                value = value.where(within, input);
                logDerivative = logDerivative.where(within, zeros_like(logDerivative));
                break;
            case SplineTails.Box:
                value = value.add(input.sub(inside).mul(logDerivative.exp()), Scalars.One);
                break;
            default:
                // back to the turn that it came from
                value = value.add(input.sub(inside).detach(), Scalars.One);
                break;
        }
        return (scope.MoveToOuter(value), scope.MoveToOuter(logDerivative));
    }

    // no clamp here: it would take the gradient of a value that rounding moved over the edge
    private Tensor OnCircle(Tensor input)
    {
        var within = input.ge(low).logical_and(input.le(high));
        return input.where(within, input.sub(low).remainder(period).add(low));
    }

    /// <summary>The bin that each value lies in: its corner, its sizes and the derivatives at its two knots, each of the shape of the values.</summary>
    private (Tensor X, Tensor Width, Tensor Y, Tensor Height, Tensor Left, Tensor Right) Bin(Tensor inside, Tensor parameters, bool inverse)
    {
        // (N, P, C, ...)
        var all = parameters.unflatten(1, [ParametersPerElement, inside.shape[1]]);
        var (x, widths) = Knots(all.narrow(1, 0, Bins));
        var (y, heights) = Knots(all.narrow(1, Bins, Bins));
        var values = inside.unsqueeze(1);
        // the inner knots at or below: an index that is never outside
        var index = values.ge((inverse ? y : x).narrow(1, 1, Bins - 1)).sum([1L], keepdim: true);
        var derivatives = DerivativesOf(all);
        Tensor At(Tensor table, int offset = 0) => table.narrow(1, offset, Bins).gather(1, index).squeeze(1);
        return (At(x), At(widths), At(y), At(heights), At(derivatives), At(derivatives, 1));
    }

    /// <summary>K + 1 knots from the lower edge to the upper one, and the K distances between them.</summary>
    private (Tensor Knots, Tensor Sizes) Knots(Tensor weights)
    {
        var sizes = weights.softmax(1).mul(bin_share).add(bin_floor);
        var edge = zeros_like(sizes.narrow(1, 0, 1));
        // the upper edge is itself, and not a sum with its rounding
        var knots = cat([edge.add(low), sizes.narrow(1, 0, Bins - 1).cumsum(1).add(low), edge.add(high)], 1);
        return (knots, knots.narrow(1, 1, Bins).sub(knots.narrow(1, 0, Bins)));
    }

    private Tensor DerivativesOf(Tensor all)
    {
        // log(1 + exp(x)) in the form that is exact on both sides
        var free = nn.functional.logsigmoid(all.narrow(1, 2 * Bins, Derivatives).mul(steepness).neg()).neg().mul(flatness).add(min_derivative);
        if (Tails == SplineTails.Box) return free;
        if (Tails == SplineTails.Circular) return cat([free, free.narrow(1, 0, 1)], 1);
        var one = ones_like(all.narrow(1, 0, 1));
        return cat([one, free, one], 1);
    }

    /// <summary>Equations 4 and 5.</summary>
    private static (Tensor Value, Tensor LogDerivative) Quotient(Tensor x, (Tensor X, Tensor Width, Tensor Y, Tensor Height, Tensor Left, Tensor Right) bin)
    {
        var theta = Unit(x.sub(bin.X).div(bin.Width));
        var slope = bin.Height.div(bin.Width);
        var both = theta.mul(theta.neg().add(Scalars.One));
        var below = slope.add(bin.Left.add(bin.Right, Scalars.One).sub(slope.mul(Scalars.Two)).mul(both), Scalars.One);
        var above = slope.mul(theta).mul(theta).add(bin.Left.mul(both), Scalars.One);
        return (bin.Y.add(bin.Height.mul(above).div(below), Scalars.One), LogDerivative(theta, both, slope, below, bin.Left, bin.Right));
    }

    /// <summary>Equations 6 to 8, with y measured in heights.</summary>
    private static (Tensor Value, Tensor LogDerivative) Root(Tensor y, (Tensor X, Tensor Width, Tensor Y, Tensor Height, Tensor Left, Tensor Right) bin)
    {
        var slope = bin.Height.div(bin.Width);
        var eta = y.sub(bin.Y).div(bin.Height);
        var bend = bin.Left.add(bin.Right, Scalars.One).sub(slope.mul(Scalars.Two));
        // a θ² + b θ - s η = 0
        var b = bin.Left.sub(eta.mul(bend));
        var a = slope.sub(b);
        var root = b.mul(b).add(a.mul(slope).mul(eta).mul(Scalars.Of(4)), Scalars.One).clamp_min(smallest).sqrt();
        // the sum of two numbers of one sign, on either side; where b < 0, a > s > 0
        var positive = b.ge(Scalars.Zero);
        var one = ones_like(b);
        var theta = Unit(slope.mul(eta).mul(Scalars.Two).div(b.add(root, Scalars.One).where(positive, one)).where(positive, root.sub(b).div(a.mul(Scalars.Two).where(positive.logical_not(), one))));
        var both = theta.mul(theta.neg().add(Scalars.One));
        var below = slope.add(bend.mul(both), Scalars.One);
        return (bin.X.add(bin.Width.mul(theta), Scalars.One), LogDerivative(theta, both, slope, below, bin.Left, bin.Right).neg());
    }

    // rounding may leave the bin, where the quotients have no sign; the gradient is that of the position
    private static Tensor Unit(Tensor theta)
    {
        var position = theta.detach();
        return theta.add(position.clamp(0, 1).sub(position), Scalars.One);
    }

    private static Tensor LogDerivative(Tensor theta, Tensor both, Tensor slope, Tensor below, Tensor left, Tensor right)
    {
        var rest = theta.neg().add(Scalars.One);
        var above = right.mul(theta).mul(theta).add(slope.mul(both).mul(Scalars.Two), Scalars.One).add(left.mul(rest).mul(rest), Scalars.One);
        return above.log().add(slope.div(below).log().mul(Scalars.Two), Scalars.One);
    }
}
