using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>Splines in plain tensor operations, for all devices and dtypes and for derivatives of gradients.</summary>
internal sealed class SplineReference(SplineShape shape)
{
    private readonly Scalar steepness = Scalars.Of(shape.Steepness), flatness = Scalars.Of(1 / shape.Steepness),
        minDerivative = Scalars.Of(shape.MinDerivative);
    private static readonly Scalar smallest = Scalars.Of(1e-30);
    private readonly Scalar low = Scalars.Of(shape.Low), high = Scalars.Of(shape.High), period = Scalars.Of(shape.High - shape.Low);
    private readonly Scalar binFloor = Scalars.Of((shape.High - shape.Low) * shape.MinBinSize);
    private readonly Scalar binShare = Scalars.Of((shape.High - shape.Low) * (1 - (shape.MinBinSize * shape.Bins)));

    public SplineShape Shape => shape;

    /// <summary>Value and log-derivative of each element.</summary>
    public (Tensor Value, Tensor LogDerivative) Apply(Tensor input, Tensor parameters, bool inverse)
    {
        using var scope = NewDisposeScope();
        var inside = shape.Ends == SplineEnds.Circular ? OnCircle(input) : input.clamp(low, high);
        var bin = Bin(inside, parameters, inverse);
        var (value, logDerivative) = inverse ? Root(inside, bin) : Quotient(inside, bin);
        switch (shape.Ends)
        {
            case SplineEnds.Linear:
                var within = input.ge(low).logical_and(input.le(high));
                value = value.where(within, input);
                logDerivative = logDerivative.where(within, zeros_like(logDerivative));
                break;
            case SplineEnds.Box:
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
        return input.where(within, input.sub(low).remainder(period).add(low, Scalars.One));
    }

    /// <summary>The bin that each value lies in: its corner, its sizes and the
    /// derivatives at its two knots, each of the shape of the values.</summary>
    private (Tensor X, Tensor Width, Tensor Y, Tensor Height, Tensor Left, Tensor Right) Bin(Tensor inside, Tensor parameters, bool inverse)
    {
        // (N, P, C, ...)
        var all = parameters.unflatten(1, [shape.Parameters, inside.size(1)]);
        var (x, widths) = Knots(all.narrow(1, 0, shape.Bins));
        var (y, heights) = Knots(all.narrow(1, shape.Bins, shape.Bins));
        var values = inside.unsqueeze(1);
        // the inner knots at or below: an index that is never outside
        var index = values.ge((inverse ? y : x).narrow(1, 1, shape.Bins - 1)).sum([1L], keepdim: true);
        var derivatives = DerivativesOf(all);
        Tensor At(Tensor table, int offset = 0) => table.narrow(1, offset, shape.Bins).gather(1, index).squeeze(1);
        return (At(x), At(widths), At(y), At(heights), At(derivatives), At(derivatives, 1));
    }

    /// <summary>K + 1 knots from the lower edge to the upper one, and the K distances between them.</summary>
    private (Tensor Knots, Tensor Sizes) Knots(Tensor weights)
    {
        var sizes = weights.softmax(1).mul(binShare).add(binFloor, Scalars.One);
        var edge = zeros_like(sizes.narrow(1, 0, 1));
        // the upper edge is itself, and not a sum with its rounding
        var knots = cat([edge.add(low, Scalars.One), sizes.narrow(1, 0, shape.Bins - 1).cumsum(1).add(low, Scalars.One),
            edge.add(high, Scalars.One)], 1);
        return (knots, knots.narrow(1, 1, shape.Bins).sub(knots.narrow(1, 0, shape.Bins)));
    }

    private Tensor DerivativesOf(Tensor all)
    {
        // log(1 + exp(x)) in the form that is exact on both sides
        var free = nn.functional.logsigmoid(all.narrow(1, 2 * shape.Bins, shape.Derivatives).mul(steepness).neg()).neg().mul(flatness).add(
            minDerivative, Scalars.One);
        if (shape.Ends == SplineEnds.Box) return free;
        if (shape.Ends == SplineEnds.Circular) return cat([free, free.narrow(1, 0, 1)], 1);
        var one = ones_like(all.narrow(1, 0, 1));
        return cat([one, free, one], 1);
    }

    /// <summary>Equations 4 and 5.</summary>
    private static (Tensor Value, Tensor LogDerivative) Quotient(Tensor x, (Tensor X, Tensor Width, Tensor Y, Tensor Height, Tensor Left,
        Tensor Right) bin)
    {
        var theta = Unit(x.sub(bin.X).div(bin.Width));
        var slope = bin.Height.div(bin.Width);
        var both = theta.mul(theta.neg().add(Scalars.One, Scalars.One));
        var below = slope.add(bin.Left.add(bin.Right, Scalars.One).sub(slope.mul(Scalars.Two)).mul(both), Scalars.One);
        var above = slope.mul(theta).mul(theta).add(bin.Left.mul(both), Scalars.One);
        return (bin.Y.add(bin.Height.mul(above).div(below), Scalars.One), LogDerivative(theta, both, slope, below, bin.Left, bin.Right));
    }

    /// <summary>Equations 6 to 8, with y measured in heights.</summary>
    private static (Tensor Value, Tensor LogDerivative) Root(Tensor y, (Tensor X, Tensor Width, Tensor Y, Tensor Height, Tensor Left,
        Tensor Right) bin)
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
        var theta = Unit(slope.mul(eta).mul(Scalars.Two).div(b.add(root, Scalars.One).where(positive, one)).where(positive,
            root.sub(b).div(a.mul(Scalars.Two).where(positive.logical_not(), one))));
        var both = theta.mul(theta.neg().add(Scalars.One, Scalars.One));
        var below = slope.add(bend.mul(both), Scalars.One);
        return (bin.X.add(bin.Width.mul(theta), Scalars.One), LogDerivative(theta, both, slope, below, bin.Left, bin.Right).neg());
    }

    // rounding may leave the bin, where the quotients have no sign; the gradient is that of the position
    private static Tensor Unit(Tensor theta)
    {
        var position = theta.detach();
        return theta.add(position.clamp(Scalars.Zero, Scalars.One).sub(position), Scalars.One);
    }

    private static Tensor LogDerivative(Tensor theta, Tensor both, Tensor slope, Tensor below, Tensor left, Tensor right)
    {
        var rest = theta.neg().add(Scalars.One, Scalars.One);
        var above = right.mul(theta).mul(theta).add(slope.mul(both).mul(Scalars.Two), Scalars.One).add(left.mul(rest).mul(rest),
            Scalars.One);
        return above.log().add(slope.div(below).log().mul(Scalars.Two), Scalars.One);
    }
}
