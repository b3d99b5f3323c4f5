using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tables;

/// <summary>The conditional densities of single columns that have one: splines, by themselves or behind a shift and a scale.</summary>
internal sealed class HeadDensities
{
    // beyond it tails are those of a normal density
    private const double Bound = 4, MostLogScale = 5;
    private readonly SplineTransformer line, box, circle;

    public HeadDensities(int bins) => (line, box, circle) = (new(bins, Bound), new(bins, 0, 1, SplineTails.Box),
        new(bins, 0, 1, SplineTails.Circular));

    /// <summary>The number of parameters of a column.</summary>
    public int ParametersOf(HeadKind kind) => kind switch
    {
        HeadKind.Box => box.ParametersPerElement,
        HeadKind.Circle => circle.ParametersPerElement,
        _ => 2 + line.ParametersPerElement,
    };

    /// <summary>The log-density, or log-probability of cells, (N, G).</summary>
    /// <param name="group">The columns.</param>
    /// <param name="heads">All columns.</param>
    /// <param name="x">(N, G).</param>
    /// <param name="parameters">(N, P·G).</param>
    public Tensor LogDensity(HeadGroup group, ColumnHead[] heads, Tensor x, Tensor parameters)
    {
        switch (group.Kind)
        {
            case HeadKind.Box or HeadKind.Circle:
                return OnUnit(group.Kind).Forward(x, parameters.contiguous()).LogDerivative!;
            case HeadKind.Line:
                var (y, logDerivative) = ToNormal(x, parameters, x.shape[1]);
                return HeadMath.LogDensity(y).add(logDerivative, Scalars.One);
            default:
                var (low, high, logWidth) = Edges(group, heads, x, parameters);
                var mass = HeadMath.LogMass(low, high, logWidth);
                return WithEnds(group, heads, x, mass, () => HeadMath.LogDistribution(high), () => HeadMath.LogDistribution(low.neg()));
        }
    }

    /// <summary>The distribution function, (N, G); of cells that of their middle.</summary>
    public Tensor Distribution(HeadGroup group, ColumnHead[] heads, Tensor x, Tensor parameters)
    {
        switch (group.Kind)
        {
            case HeadKind.Box or HeadKind.Circle:
                return OnUnit(group.Kind).Forward(x, parameters.contiguous()).Value;
            case HeadKind.Line:
                return HeadMath.Distribution(ToNormal(x, parameters, x.shape[1]).Value);
            default:
                var (low, high, _) = Edges(group, heads, x, parameters);
                var (below, above) = (HeadMath.Distribution(low), HeadMath.Distribution(high));
                return WithEnds(group, heads, x, below.add(above, Scalars.One).mul(Scalars.Half), () => above.mul(Scalars.Half),
                    () => below.add(Scalars.One, Scalars.One).mul(Scalars.Half));
        }
    }

    /// <summary>The code for a value of the distribution function, (N, 1).</summary>
    /// <param name="head">The column.</param>
    /// <param name="parameters">(N, P).</param>
    /// <param name="u">(N, 1), float64 in (0, 1).</param>
    public Tensor Quantile(ColumnHead head, Tensor parameters, Tensor u)
    {
        // in float64, where the tails of u and the edges of a box are still apart
        parameters = parameters.to(float64);
        if (head.Kind is HeadKind.Box or HeadKind.Circle) return OnUnit(head.Kind).Inverse(u, parameters).Value;
        var (shift, logScale, rest) = Parts(parameters, 1);
        var number = line.Inverse(HeadMath.Quantile(u), rest.contiguous()).Value.mul(logScale.exp()).add(shift, Scalars.One);
        if (head.Kind == HeadKind.Line) return number;
        var steps = HeadMath.Steps(number, head).add(Scalars.Half, Scalars.One).floor();
        return steps.clamp(Scalars.Of(head.Lowest ?? -ColumnNumbers.MostSteps), Scalars.Of(head.Highest ?? ColumnNumbers.MostSteps));
    }

    private SplineTransformer OnUnit(HeadKind kind) => kind == HeadKind.Box ? box : circle;

    // the edges of cells as normal numbers, and log of the width between them by derivatives, which has digits where the edges
    // have none between them; the two rows of a cell have one set of parameters
    private (Tensor Low, Tensor High, Tensor LogWidth) Edges(HeadGroup group, ColumnHead[] heads, Tensor x, Tensor parameters)
    {
        var rows = x.shape[0];
        Tensor At(double side) => cat([.. group.Columns.Select((c, i) => HeadMath.EdgeCode(x.narrow(1, i, 1).add(Scalars.Of(side),
            Scalars.One), heads[c]))], 1);
        var (y, logDerivative) = ToNormal(cat([At(-0.5), At(0.5)], 0), parameters.repeat(2, 1), x.shape[1]);
        var steps = cat([.. group.Columns.Select((c, i) => HeadMath.LogEdgeDerivative(x.narrow(1, i, 1), heads[c]))], 1);
        var slope = logDerivative.narrow(0, 0, rows).add(logDerivative.narrow(0, rows, rows), Scalars.One).mul(Scalars.Half);
        return (y.narrow(0, 0, rows), y.narrow(0, rows, rows), slope.add(steps, Scalars.One));
    }

    private static Tensor WithEnds(HeadGroup group, ColumnHead[] heads, Tensor x, Tensor value, Func<Tensor> first, Func<Tensor> last)
    {
        var (lows, highs) = (group.Columns.Select(c => heads[c].Lowest).ToArray(), group.Columns.Select(c => heads[c].Highest).ToArray());
        if (lows.Any(l => l is not null)) value = where(x.le(Codes(lows, double.NegativeInfinity, x)), first(), value);
        if (highs.Any(h => h is not null)) value = where(x.ge(Codes(highs, double.PositiveInfinity, x)), last(), value);
        return value;
    }

    private static Tensor Codes(double?[] codes, double none, Tensor like) =>
        tensor([.. codes.Select(c => c ?? none)], device: CPU).to(like.dtype, like.device).unsqueeze(0);

    private (Tensor Value, Tensor LogDerivative) ToNormal(Tensor x, Tensor parameters, long columns)
    {
        var (shift, logScale, rest) = Parts(parameters, columns);
        var (y, logDerivative) = line.Forward(x.sub(shift).mul(logScale.neg().exp()).contiguous(), rest.contiguous());
        return (y, logDerivative!.sub(logScale));
    }

    private static (Tensor Shift, Tensor LogScale, Tensor Spline) Parts(Tensor parameters, long columns) =>
        (parameters.narrow(1, 0, columns),
            parameters.narrow(1, columns, columns).mul(Scalars.Of(1 / MostLogScale)).tanh().mul(Scalars.Of(MostLogScale)),
            parameters.narrow(1, 2 * columns, parameters.shape[1] - (2 * columns)));
}
