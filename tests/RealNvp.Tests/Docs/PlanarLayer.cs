using RealNvp;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Tests.Docs;

// guide begins
/// <summary>z = x + û tanh(wᵀx + b); log|det| = log(1 + wᵀû tanh′(wᵀx + b)) (Rezende and Mohamed, arXiv 1505.05770).</summary>
public sealed class PlanarLayer : Bijection
{
    private readonly Parameter w, u, b;

    public PlanarLayer(long features) : base(nameof(PlanarLayer), [features])
    {
        w = new Parameter(randn(features).div(Math.Sqrt(features)));
        u = new Parameter(zeros(features));
        b = new Parameter(zeros(1));
        RegisterComponents();
    }

    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Tensor? context)
    {
        var (direction, c) = Direction();
        var a = x.matmul(w) + b;
        return (x + a.tanh().outer(direction), LogSlope(a, c));
    }

    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Tensor? context)
    {
        var (direction, c) = Direction();
        var target = z.matmul(w) + b;     // a + c tanh(a), where c = wᵀû: one equation in one unknown
        var (low, high) = (target.detach() - c.detach().abs(), target.detach() + c.detach().abs());
        for (var i = 0; i < 60; i++)
        {
            var middle = (low + high) / 2;
            var below = (middle + c * middle.tanh()).detach() < target.detach();
            (low, high) = (where(below, middle, low), where(below, high, middle));
        }
        var a = low - ((low + c * low.tanh() - target) / LogSlope(low, c).exp().detach());   // a Newton step carries the gradient
        return (z - a.tanh().outer(direction), LogSlope(a, c).neg());
    }

    // û = u + (c - wᵀu) w/|w|² has wᵀû = c, and c > -1 makes the map invertible
    private (Tensor Direction, Tensor C) Direction()
    {
        var c = nn.functional.softplus(w.dot(u)) - 1;
        return (u + (c - w.dot(u)) * w / w.dot(w), c);
    }

    private static Tensor LogSlope(Tensor a, Tensor c) => (c * (1 - a.tanh().square())).log1p();
}
// guide ends
