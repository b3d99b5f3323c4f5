using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The uniform density on a box: log p(z) = −D log(high − low) within, and minus infinity outside.</summary>
/// <remarks>For bijections onto a box, such as splines with <see cref="SplineTails.Box"/> or <see cref="SplineTails.Circular"/>. It has no
/// weights. A temperature below 1 draws from the inner part of the box, about its center; one above 1 stays in the box. An element counts
/// as within up to four roundings of its dtype beyond an edge (4·ε·max(|low|, |high|)), so that a flow can score what it samples.</remarks>
public sealed partial class UniformBox : Density, IElementCdf
{
    /// <summary>Roundings of the larger edge that count as within: a spline onto the
    /// box, and the shift of a circle, may end on the other side of an edge.</summary>
    private const double Slack = 4;

    private readonly Scalar low, high, width, logDensity, minusInfinity = Scalars.Of(double.NegativeInfinity);

    /// <summary>Makes the density.</summary>
    /// <param name="shape">The shape of one latent.</param>
    /// <param name="low">The lower edge of every element.</param>
    /// <param name="high">The upper edge; both edges belong to the box.</param>
    public UniformBox(EventShape shape, double low = 0, double high = 1) : base(nameof(UniformBox), shape)
    {
        Ranges.Interval(low, high, "A box");
        (Low, High) = (low, high);
        (this.low, this.high, width, logDensity) = (Scalars.Of(low), Scalars.Of(high), Scalars.Of(high - low),
            Scalars.Of(-shape.NumElements * Math.Log(high - low)));
        RegisterComponents();
    }

    /// <summary>The lower edge.</summary>
    public double Low { get; }

    /// <summary>The upper edge.</summary>
    public double High { get; }

    /// <inheritdoc/>
    public override bool HasBoundedSupport => true;

    /// <summary>Every element: the density is the same at both edges.</summary>
    public override IReadOnlyList<Circle> CircularFeatures =>
        [.. Enumerable.Range(0, checked((int)Shape.NumElements)).Select(i => new Circle(i, Low, High))];

    /// <inheritdoc/>
    protected override Tensor LogProbCore(Tensor z, Tensor? context)
    {
        using var scope = NewDisposeScope();
        var inside = Inside(z).flatten(1).all(1);
        return scope.MoveToOuter(zeros(z.shape[0], dtype: z.dtype, device: z.device).add(logDensity,
            Scalars.One).masked_fill(inside.logical_not(), minusInfinity));
    }

    /// <inheritdoc/>
    protected internal override Tensor? OutsideSupport(Tensor z) => Inside(z).logical_not();

    /// <inheritdoc/>
    public Tensor Cdf(Tensor z, Tensor? context)
    {
        CheckForCdf(z, context);
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(z.sub(low).div(width).clamp(Scalars.Zero, Scalars.One));
    }

    private Tensor Inside(Tensor z)
    {
        var slack = Slack * finfo(z.dtype).eps * Math.Max(Math.Abs(Low), Math.Abs(High));
        return z.ge(Scalars.Of(Low - slack)).logical_and(z.le(Scalars.Of(High + slack)));
    }

    /// <inheritdoc/>
    protected override Tensor SampleCore(long count, double temperature, ScalarType dtype, Device device, Generator? generator,
        Tensor? context)
    {
        using var scope = NewDisposeScope();
        var u = Noise.Uniform(Shape.WithBatch(count), dtype, device, generator);
        if (temperature < 1) u = u.sub(Scalars.Half).mul(Scalars.Of(temperature)).add(Scalars.Half, Scalars.One);
        return scope.MoveToOuter(u.mul(width).add(low, Scalars.One).clamp(low, high));
    }
}
