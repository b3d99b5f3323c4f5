using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Bends the space along one direction: z = x + û·h(wᵀx + b); log|det| = log(1 + wᵀû·h′(wᵀx + b))
/// (Rezende and Mohamed, arXiv 1505.05770, equations 10 to 12).
/// </summary>
/// <remarks>
/// <para>û = u + (m − wᵀu)·w/|w|² with m = softplus(wᵀu) − 1, at least −1 + 1e-6, so that wᵀû = m is above −1 and the layer is
/// invertible for any weights (appendix A.1); |w| counts as at least 1e-6. A new layer is the identity along a random direction w.</para>
/// <para>Forward has the closed form. With tanh, Inverse solves one increasing equation for wᵀx + b an example, by Newton's method in
/// float64 whatever the dtype. A residual above 1e-9 throws. The gradient of the inverse is that of the implicit function.</para>
/// <para>State-dict keys: <c>w</c> (D), <c>u</c> (D), <c>b</c> (1).</para>
/// </remarks>
public sealed partial class PlanarLayer : Bijection
{
    private const double MinSlope = 1e-6, MinSquare = 1e-12, Leak = 0.2;

    private static readonly Scalar minSlope = Scalars.Of(MinSlope), minSquare = Scalars.Of(MinSquare), leak = Scalars.Of(Leak);

    private readonly TorchSharp.Modules.Parameter w, u, b;

    /// <summary>Makes the layer; w is drawn from torch's default generator.</summary>
    /// <param name="inputShape">[D].</param>
    /// <param name="activation">The function h.</param>
    /// <exception cref="ArgumentException">The shape is no vector of a known size.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="activation"/> is unknown.</exception>
    public PlanarLayer(EventShape inputShape, PlanarActivation activation = PlanarActivation.Tanh) : base(nameof(PlanarLayer), inputShape)
    {
        var d = Check.Vector(inputShape, nameof(inputShape), "A planar layer");
        if (!Enum.IsDefined(activation)) throw new ArgumentOutOfRangeException(nameof(activation), activation, "Unknown activation.");
        Activation = activation;
        Weights.Pay((2 * d) + 1, 3);
        using var scope = NewDisposeScope();
        var direction = Weights.Normal(d).div(Scalars.Of(Math.Sqrt(d)));
        // softplus(wᵀu) = 1, so that û = 0
        u = Weights.Parameter(direction.mul(Scalars.Of(Math.Log(Math.E - 1))).div(direction.pow(Scalars.Two).sum().clamp_min(minSquare)));
        // takes the tensor over
        w = Weights.Parameter(direction);
        b = Weights.Parameter(zeros(1));
        RegisterComponents();
    }

    /// <summary>The function h.</summary>
    public PlanarActivation Activation { get; }

    /// <inheritdoc/>
    // the inverse solves an equation
    protected internal override bool KeepsInput(bool inverse) => !inverse;

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        var (direction, slope) = Direction(w, u);
        var a = x.mv(w).add(b, Scalars.One);
        return (x.add(Activate(a).unsqueeze(1).mul(direction), Scalars.One), LogSlope(a, slope));
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        var (wide, normal) = (z.to(float64), w.to(float64));
        var (direction, slope) = Direction(normal, u.to(float64));
        // a + wᵀû·h(a): one equation in one unknown
        var target = wide.mv(normal).add(b.to(float64), Scalars.One);
        var a = Activation == PlanarActivation.Tanh ? TanhEquation.Root(target, slope, GetName()) : target.div(LeakySlope(target, slope));
        return (wide.sub(Activate(a).unsqueeze(1).mul(direction)).to(z.dtype), LogSlope(a, slope).neg().to(z.dtype));
    }

    /// <summary>û, and p = 1 + wᵀû, which is positive.</summary>
    private static (Tensor Direction, Tensor Slope) Direction(Tensor w, Tensor u)
    {
        var (product, square) = (w.dot(u), w.dot(w));
        var bounded = square.clamp_min(minSquare);
        // 1 but for a tiny w, where all of û fades: wᵀû is (p − 1)·share for any u
        var share = square.div(bounded);
        var p = nn.functional.logsigmoid(product.neg()).neg().clamp_min(minSlope);
        var direction = u.mul(share).add(w.mul(p.sub(Scalars.One).sub(product).div(bounded)), Scalars.One);
        return (direction, p.mul(share).add(share.neg().add(Scalars.One, Scalars.One), Scalars.One));
    }

    private Tensor Activate(Tensor a) => Activation == PlanarActivation.Tanh ? a.tanh() : a.where(a.gt(Scalars.Zero), a.mul(leak));

    private Tensor LogSlope(Tensor a, Tensor slope) => Activation == PlanarActivation.Tanh ? TanhEquation.LogSlope(a, slope)
        : LeakySlope(a, slope).log();

    /// <summary>1 + (p − 1)·h′(a): p where a is positive, and 0.8 + 0.2·p elsewhere.</summary>
    private static Tensor LeakySlope(Tensor a, Tensor p) =>
        p.where(a.gt(Scalars.Zero), p.sub(Scalars.One).mul(leak).add(Scalars.One, Scalars.One));
}
