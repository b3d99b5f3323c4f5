using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Draws the space to a center x₀, or pushes it away: z = x + β·(x − x₀)/(α + r), r = |x − x₀|;
/// log|det| = (D − 1)·log(1 + β/(α + r)) + log(1 + αβ/(α + r)²) (Rezende and Mohamed, arXiv 1505.05770, equation 14).
/// </summary>
/// <remarks>
/// <para>α = softplus(a) + 1e-6 is positive, and β = −α + softplus(c) + 1e-6 is above −α, so that the layer is invertible for any weights
/// (appendix A.2). A new layer is the identity around a random center.</para>
/// <para>Both directions have a closed form: r solves a quadratic equation, in float64 whatever the dtype. At x₀ itself, where the
/// log-determinant has a cusp, its gradient counts as 0.</para>
/// <para>State-dict keys: <c>center</c> (D), <c>alpha</c> (1, the a above), <c>beta</c> (1, the c above).</para>
/// </remarks>
public sealed partial class RadialLayer : Bijection
{
    private const double Floor = 1e-6, Tiny = 1e-30;

    private static readonly Scalar floor = Scalars.Of(Floor), tiny = Scalars.Of(Tiny), four = Scalars.Of(4.0);

    private readonly long size;
    private readonly TorchSharp.Modules.Parameter center, alpha, beta;

    /// <summary>Makes the layer; the center is drawn from torch's default generator, as normal numbers.</summary>
    /// <param name="inputShape">[D].</param>
    /// <exception cref="ArgumentException">The shape is no vector of a known size.</exception>
    public RadialLayer(EventShape inputShape) : base(nameof(RadialLayer), inputShape)
    {
        size = Check.Vector(inputShape, nameof(inputShape), "A radial layer");
        Weights.Pay((Int128)size + 2, 3);
        center = Weights.Parameter(Weights.Normal(size));
        // the same for both, so that β = 0; softplus of it is 1
        var one = Scalars.Of(Math.Log(Math.E - 1));
        alpha = Weights.Parameter(full(1, one));
        beta = Weights.Parameter(full(1, one));
        RegisterComponents();
    }

    /// <inheritdoc/>
    // the inverse solves an equation
    protected internal override bool KeepsInput(bool inverse) => !inverse;

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        var (a, ratio) = Scales(alpha, beta);
        var offset = x.sub(center);
        var r = Length(offset);
        var near = a.div(r.add(a, Scalars.One));
        var value = x.add(offset.mul(near.mul(ratio.sub(Scalars.One)).unsqueeze(1)), Scalars.One);
        return (value, LogDet(r, a, ratio));
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        var (a, ratio) = Scales(alpha.to(float64), beta.to(float64));
        var middle = center.to(float64);
        var offset = z.to(float64).sub(middle);
        // |z − x₀| = r·(r + g)/(r + α) with g = α + β: a quadratic in r, the root without cancellation
        var (length, g) = (Length(offset), a.mul(ratio));
        var d = length.sub(g);
        var sum = d.pow(Scalars.Two).add(length.mul(a).mul(four), Scalars.One).sqrt().add(d.abs(), Scalars.One);
        var r = length.mul(a).mul(Scalars.Two).div(sum).where(d.le(Scalars.Zero), sum.mul(Scalars.Half));
        var value = middle.add(offset.mul(r.add(a, Scalars.One).div(r.add(g, Scalars.One)).unsqueeze(1)), Scalars.One);
        return (value.to(z.dtype), LogDet(r, a, ratio).neg().to(z.dtype));
    }

    /// <summary>α, and 1 + β/α; both positive.</summary>
    private static (Tensor Alpha, Tensor Ratio) Scales(Tensor alpha, Tensor beta)
    {
        var a = nn.functional.logsigmoid(alpha.neg()).neg().add(floor, Scalars.One);
        return (a, nn.functional.logsigmoid(beta.neg()).neg().add(floor, Scalars.One).div(a));
    }

    /// <summary>With k = α/(α + r): (1 − k) + k·(1 + β/α) across the radius and
    /// (1 − k²) + k²·(1 + β/α) along it, sums of positive terms.</summary>
    private Tensor LogDet(Tensor r, Tensor a, Tensor ratio)
    {
        var sum = r.add(a, Scalars.One);
        var (near, far) = (a.div(sum), r.div(sum));
        var across = far.add(near.mul(ratio), Scalars.One);
        var along = far.mul(near.add(Scalars.One, Scalars.One)).add(near.pow(Scalars.Two).mul(ratio), Scalars.One);
        return across.log().mul(Scalars.Of(size - 1)).add(along.log(), Scalars.One);
    }

    /// <summary>The length of each row. No square overflows, and the gradient of a row of zeros is 0.</summary>
    private static Tensor Length(Tensor rows)
    {
        var largest = rows.detach().abs().amax([1L]).clamp_min(tiny);
        return rows.div(largest.unsqueeze(1)).pow(Scalars.Two).sum([1L]).clamp_min(tiny).sqrt().mul(largest);
    }
}
