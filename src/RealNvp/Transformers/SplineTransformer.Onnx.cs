using RealNvp.Kernels;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class SplineTransformer : IOnnxTransformer
{
    // a bin may be a thousandth of the interval, whose knots are sums of all before: in float64, whatever the graph computes in
    (OnnxValue Value, OnnxValue? LogDerivative) IOnnxTransformer.WriteOnnx(OnnxValue input, OnnxValue parameters, bool inverse)
    {
        var dtype = input.Type;
        var (value, logDerivative) = Curve(input.To(ScalarType.Float64), parameters.To(ScalarType.Float64), inverse);
        return (value.To(dtype), logDerivative.To(dtype));
    }

    private (OnnxValue Value, OnnxValue LogDerivative) Curve(OnnxValue x, OnnxValue parameters, bool inverse)
    {
        var within = x.GreaterOrEqual(Low).And(x.LessOrEqual(High));
        var inside = Tails == SplineTails.Circular ? within.Where(x, (x - Low).Remainder(High - Low) + Low) : x.Clip(Low, High);
        var all = OnnxParameters.Split(parameters, ParametersPerElement);
        var (knots, widths) = Knots(all.Narrow(1, 0, Bins));
        var (levels, heights) = Knots(all.Narrow(1, Bins, Bins));
        var slopes = Slopes(all);
        // the inner knots at or below, so that no index is outside, whatever the value is
        var index = Bins == 1 ? null
            : inside.Unsqueeze(1).GreaterOrEqual((inverse ? levels : knots).Narrow(1, 1, Bins - 1)).To(ScalarType.Int64).Sum(1);
        OnnxValue At(OnnxValue table, int offset = 0)
        {
            var part = table.Narrow(1, offset, Bins);
            return (index is null ? part : Spread(part, index).GatherElements(1, index)).Squeeze(1);
        }
        var bin = new Bin(At(knots), At(widths), At(levels), At(heights), At(slopes), At(slopes, 1));
        var (value, logDerivative) = inverse ? Root(inside, bin) : Quotient(inside, bin);
        return Tails switch
        {
            SplineTails.Linear => (within.Where(value, x), within.Where(logDerivative, x.Graph.Number(0, ScalarType.Float64, 0))),
            SplineTails.Box => (within.Where(value, value + ((x - inside) * logDerivative.Exp())), logDerivative),
            _ => (value + (x - inside), logDerivative),
        };
    }

    // one set of parameters may be for all examples or places
    private static OnnxValue Spread(OnnxValue table, OnnxValue index) =>
        table.Expand([index.Shape[0], table.Shape[1], .. index.Shape.Skip(2)], index);

    private (OnnxValue Knots, OnnxValue Sizes) Knots(OnnxValue weights)
    {
        var sizes = (weights.Softmax(1) * ((High - Low) * (1 - (SmallestBin * Bins)))) + ((High - Low) * SmallestBin);
        var edge = sizes.Narrow(1, 0, 1) * 0;
        var inner = Bins == 1 ? [] : new[] { sizes.Narrow(1, 0, Bins - 1).CumulativeSum(1) + Low };
        var knots = OnnxValue.Concat(1, [edge + Low, .. inner, edge + High]);
        return (knots, knots.Narrow(1, 1, Bins) - knots.Narrow(1, 0, Bins));
    }

    private OnnxValue Slopes(OnnxValue all)
    {
        var steepness = Math.Log(2) / (1 - SmallestDerivative);
        var count = ParametersPerElement - (2 * Bins);
        if (count == 0) return OnnxValue.Concat(1, Ones(all), Ones(all));
        var free = ((all.Narrow(1, 2 * Bins, count) * steepness).Softplus() / steepness) + SmallestDerivative;
        return Tails switch
        {
            SplineTails.Box => free,
            SplineTails.Circular => OnnxValue.Concat(1, free, free.Narrow(1, 0, 1)),
            _ => OnnxValue.Concat(1, Ones(all), free, Ones(all)),
        };
    }

    private static OnnxValue Ones(OnnxValue all) => (all.Narrow(1, 0, 1) * 0) + 1;

    private static (OnnxValue, OnnxValue) Quotient(OnnxValue x, Bin bin)
    {
        var theta = ((x - bin.X) / bin.Width).Clip(0, 1);
        var slope = bin.Height / bin.Width;
        var both = theta * (1 - theta);
        var below = slope + ((bin.Left + bin.Right - (2 * slope)) * both);
        return (bin.Y + (bin.Height * ((slope * theta * theta) + (bin.Left * both)) / below), Log(theta, both, slope, below, bin));
    }

    private static (OnnxValue, OnnxValue) Root(OnnxValue y, Bin bin)
    {
        var slope = bin.Height / bin.Width;
        var eta = ((y - bin.Y) / bin.Height).Clip(0, 1);
        // a θ² + b θ − s η = 0 with b = q + 2 s η: the discriminant is a sum of squares, and the root one of terms of one sign
        var q = (bin.Left * (1 - eta)) - (bin.Right * eta);
        var root = ((q * q) + (4 * slope * slope * eta * (1 - eta))).Sqrt();
        var left = q.GreaterOrEqual(0);
        var part = 2 * slope * left.Where(eta, 1 - eta);
        var near = (part / (q.Abs() + part + root)).AtMost(1);
        var theta = left.Where(near, 1 - near);
        var both = theta * (1 - theta);
        var below = slope + ((bin.Left + bin.Right - (2 * slope)) * both);
        return (bin.X + (bin.Width * theta), -Log(theta, both, slope, below, bin));
    }

    private static OnnxValue Log(OnnxValue theta, OnnxValue both, OnnxValue slope, OnnxValue below, Bin bin)
    {
        var rest = 1 - theta;
        var above = (bin.Right * theta * theta) + (2 * slope * both) + (bin.Left * rest * rest);
        return above.Log() + (2 * (slope / below).Log());
    }

    private sealed record Bin(OnnxValue X, OnnxValue Width, OnnxValue Y, OnnxValue Height, OnnxValue Left, OnnxValue Right);
}
