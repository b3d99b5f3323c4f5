using System.Globalization;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The increasing map g(a) = a + (p − 1)·tanh(a) with p > 0, to which
/// planar and Sylvester layers come down: its slope and its inverse.</summary>
internal static partial class TanhEquation
{
    /// <summary>The largest residual of a root, relative to max(1, |target|). Found ones are some 1e-16.</summary>
    private const double MaxResidual = 1e-9;

    // from √p to 1 the map is a cube, where a step takes a third away; then digits double
    private const int MaxSteps = 200;

    private static readonly Scalar four = Scalars.Of(4.0), minusTwo = Scalars.Of(-2.0);

    /// <summary>log g′(a) = log(tanh² a + p·(1 − tanh² a)): a sum of positive terms, exact for large and small a.</summary>
    public static Tensor LogSlope(Tensor a, Tensor p) => Slope(a, p).log();

    /// <summary>The a with g(a) = target, in float64, with gradients to target
    /// and p by the implicit function. Runs inside a dispose scope.</summary>
    /// <exception cref="InvalidOperationException">The residual is too large, as for values that are NaN.</exception>
    public static Tensor Root(Tensor target, Tensor p, string owner)
    {
        Tensor root;
        using (no_grad()) root = Find(target, p, owner);
        if (!is_grad_enabled() || !(target.requires_grad || p.requires_grad)) return root;
        // the value stays; the gradient is da = (dt − tanh(a) dp)/g′(a)
        var rest = target.sub(Value(root, p));
        return root.add(rest.sub(rest.detach()).div(Slope(root, p.detach())), Scalars.One);
    }

    private static Tensor Value(Tensor a, Tensor p) => a.add(p.sub(Scalars.One).mul(a.tanh()), Scalars.One);

    private static Tensor Slope(Tensor a, Tensor p)
    {
        // 1 − tanh² without cancellation
        var e = a.abs().mul(minusTwo).exp();
        var rest = e.mul(four).div(e.add(Scalars.One, Scalars.One).pow(Scalars.Two));
        return a.tanh().pow(Scalars.Two).add(rest.mul(p), Scalars.One);
    }

    /// <summary>
    /// g is odd, so a ≥ 0 will do. There it is convex for p below 1, and concave above: Newton's method from the right end of the bracket
    /// [min(t, t − c), max(t, t − c)], c = p − 1, then comes to the root from one side, and never leaves it.
    /// </summary>
    private static Tensor Find(Tensor target, Tensor p, string owner)
    {
        using var scope = NewDisposeScope();
        var t = target.abs();
        var convex = p.lt(Scalars.One);
        var a = t.sub(p.sub(Scalars.One)).clamp_min(Scalars.Zero);
        for (var i = 0; i < MaxSteps; i++)
        {
            using var step = NewDisposeScope();
            var newton = a.sub(Value(a, p).sub(t).div(Slope(a, p)));
            // what rounding sends back has arrived
            var next = a.minimum(newton).where(convex, a.maximum(newton));
            var arrived = RootSearch.Asks(i, a) && !next.ne(a).any().Fetch<bool>();
            a = step.MoveToOuter(next);
            if (arrived) break;
        }
        if (a.numel() > 0)
        {
            var error = Value(a, p).sub(t).abs().div(t.clamp_min(Scalars.One)).max().Fetch<double>();
            // NaN is no small number
            if (!(error <= MaxResidual))
                throw new NoInverseException(
                    string.Create(CultureInfo.InvariantCulture,
                    $"{owner}.Inverse found no root: the largest residual is {error:G3} of {MaxResidual:G1} allowed. Values or weights " +
                    $"may be NaN, infinite or near the largest number of their dtype."));
        }
        return scope.MoveToOuter(a.mul(target.sign()));
    }
}
