using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Checking;

/// <summary>
/// A spline with knots at -1, 0 and 1: y = x outside, and y = x + ½ (|x| - 1)² x inside, whose derivative is continuous. With
/// <c>atKnot</c> other than 0, the value is off by it where x is exactly 1, as with a wrong comparison in a search for the bin.
/// </summary>
internal sealed class KnottedLayer : Bijection
{
    private readonly double at_knot;

    public KnottedLayer(double atKnot = 0) : base(nameof(KnottedLayer))
    {
        at_knot = atKnot;
        RegisterComponents();
    }

    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        var value = where(x.abs().lt(1), Inside(x), x);
        return (where(x.eq(1), value.add(at_knot), value), SumExamples(where(x.abs().lt(1), Slope(x), ones_like(x)).log()));
    }

    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        var x = z.clamp(-1, 1);
        using (no_grad()) for (var i = 0; i < 60; i++) x = x.sub(Inside(x).sub(z.clamp(-1, 1)).div(Slope(x))).clamp(-1, 1);
        // one step more with gradients: the derivative of the inverse
        x = x.sub(Inside(x).sub(z).div(Slope(x).detach()));
        x = where(z.abs().lt(1), x, z);
        return (x, SumExamples(where(z.abs().lt(1), Slope(x), ones_like(x)).log().neg()));
    }

    private static Tensor Inside(Tensor x) => x.abs().sub(1).square().mul(0.5).add(1).mul(x);

    private static Tensor Slope(Tensor x) => x.abs().sub(1).square().mul(0.5).add(1).add(x.abs().sub(1).mul(x.abs()));
}
