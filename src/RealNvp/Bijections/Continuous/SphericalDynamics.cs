using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Dynamics on a sphere: the velocity u of any other dynamics, without its part along x, so that unit vectors stay unit
/// vectors. v(t, x) = |x|·(I − yyᵀ)·u(t, y) with y = x/|x| (Riemannian continuous flows, arXiv 2006.10605).
/// </summary>
/// <remarks>
/// <para>For unit vectors of D numbers, which are the points of the sphere of D − 1 dimensions; 3 numbers are the ordinary sphere.
/// A <see cref="ContinuousLayer"/> that follows v is a bijection of it, whose log-determinant is that by area:
/// ∇·v = tr((I − yyᵀ) ∂u/∂y) − (D − 1) y·u, which is both the divergence on the sphere and that in all D numbers.</para>
/// <para>Vectors of other lengths move on spheres of their own, as fast by angle as unit vectors; below a length of ½ they
/// slow down, and rest at 0, so that the map is smooth everywhere.</para>
/// <para>State-dict keys: <c>dynamics.*</c>. It owns the other dynamics.</para>
/// </remarks>
public sealed class SphericalDynamics : Dynamics
{
    // with a cheap divergence two calls of the other dynamics are less work than so many directions
    private const long MostDirections = 4;

    private readonly Dynamics dynamics;

    /// <summary>Makes the dynamics.</summary>
    /// <param name="dynamics">u, such as a <see cref="TimeMlp"/>, or any network of yours
    /// (<see cref="Dynamics.From(nn.Module{Tensor, Tensor, Tensor})"/>). It
    /// sees unit vectors, and is owned by this one from now on.</param>
    /// <exception cref="ArgumentException">The dynamics have circles: an element of a unit vector is none.</exception>
    public SphericalDynamics(Dynamics dynamics) : base(nameof(SphericalDynamics), Given(dynamics).Shape, dynamics.ContextSize)
    {
        if (dynamics.CircularFeatures.Count > 0)
            throw new ArgumentException(
                $"The elements of a unit vector are no circles, but the {dynamics.GetName()} has {dynamics.CircularFeatures[0]}.",
                nameof(dynamics));
        this.dynamics = dynamics;
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override bool KeepsLength => true;

    /// <inheritdoc/>
    protected internal override bool ProductsAreTransposed => dynamics.ProductsAreTransposed;

    /// <inheritdoc/>
    protected internal override bool HasCheapDivergence => dynamics.HasCheapDivergence;

    /// <inheritdoc/>
    public override Tensor Velocity(Tensor t, Tensor x, Tensor? context = null)
    {
        using var scope = NewDisposeScope();
        var at = Place.Of(Checked(x, nameof(Velocity)));
        var u = dynamics.Velocity(t, at.Unit.reshape(x.shape), context).flatten(1);
        return scope.MoveToOuter(at.Tangent(u).mul(at.Speed).reshape(x.shape));
    }

    /// <inheritdoc/>
    protected internal override (Tensor Velocity, Tensor Divergence) VelocityAndDivergence(Tensor t, Tensor x, Tensor? context = null)
    {
        using var scope = NewDisposeScope();
        var at = Place.Of(Checked(x, nameof(VelocityAndDivergence)));
        var (y, size) = (at.Unit, at.Unit.shape[1]);
        Tensor u, trace;
        if (size > MostDirections && dynamics.HasCheapDivergence)
        {
            (u, trace) = dynamics.VelocityAndDivergence(t, y.reshape(x.shape), context);
            var along = dynamics.VelocityAndProducts(t, y.reshape(x.shape), y.reshape([1, .. x.shape]), context).Products;
            trace = trace.sub(along.reshape(y.shape).mul(y).sum(1));
        }
        else
        {
            var frame = at.Frame();
            (u, var products) = dynamics.VelocityAndProducts(t, y.reshape(x.shape), frame.reshape([size - 1, .. x.shape]), context);
            trace = products.reshape(frame.shape).mul(frame).sum([0L, 2L]);
        }
        u = u.flatten(1);
        var divergence = trace.sub(u.mul(y).sum(1).mul(Scalars.Of(size - 1))).mul(at.Pace.squeeze(1));
        return (scope.MoveToOuter(at.Tangent(u).mul(at.Speed).reshape(x.shape)), scope.MoveToOuter(divergence));
    }

    /// <inheritdoc/>
    protected internal override (Tensor Velocity, Tensor Products) VelocityAndProducts(Tensor t, Tensor x, Tensor vectors,
        Tensor? context = null)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        using var scope = NewDisposeScope();
        var at = Place.Of(Checked(x, nameof(VelocityAndProducts)));
        var a = vectors.flatten(2);
        var tangent = at.Tangent(a);
        var (u, products) = dynamics.VelocityAndProducts(t, at.Unit.reshape(x.shape), tangent.reshape(vectors.shape), context);
        (u, products) = (u.flatten(1), products.flatten(2));
        var (w, y) = (at.Tangent(u), at.Unit);
        var normal = u.mul(y).sum([1L], keepdim: true);
        // along a tangent b: (I − yyᵀ) ∂u/∂y b − (y·u) b − (w·b) y; along y the speed changes alone
        if (ProductsAreTransposed)
        {
            var turned = at.Tangent(products.sub(tangent.mul(normal)).sub(w.mul(Dot(a, y)))).mul(at.Pace);
            products = turned.add(y.mul(Dot(a, w)).mul(at.SpeedSlope), Scalars.One);
        }
        else
        {
            var turned = at.Tangent(products).sub(tangent.mul(normal)).sub(y.mul(Dot(tangent, w))).mul(at.Pace);
            products = turned.add(w.mul(Dot(a, y)).mul(at.SpeedSlope), Scalars.One);
        }
        return (scope.MoveToOuter(w.mul(at.Speed).reshape(x.shape)), scope.MoveToOuter(products.reshape(vectors.shape)));
    }

    private static Tensor Dot(Tensor a, Tensor b) => a.mul(b).sum([-1L], keepdim: true);

    private static Dynamics Given(Dynamics dynamics)
    {
        ArgumentNullException.ThrowIfNull(dynamics);
        ModuleLife.Alive(dynamics, nameof(dynamics), nameof(SphericalDynamics));
        return dynamics;
    }

    private Tensor Checked(Tensor x, string method)
    {
        Check.Tensor(x, nameof(x));
        if (x.dim() < 2 || x.numel() / Math.Max(1, x.shape[0]) is 1)
            throw new ArgumentException(
                $"{GetName()}.{method} expects x of shape (N, D) with D at least 2: 3 for the ordinary sphere; got " +
                $"{EventShape.Format(x.shape)}.", nameof(x));
        return x.flatten(1);
    }

    /// <summary>Where examples are: their directions y (N, D), how fast a radian is there, and the speed.</summary>
    private sealed record Place(Tensor Unit, Tensor Pace, Tensor Speed, Tensor SpeedSlope)
    {
        private static readonly Scalar ten = Scalars.Of(10), fifteen = Scalars.Of(-15), six = Scalars.Of(6), sixty = Scalars.Of(60);

        public static Place Of(Tensor x)
        {
            var length = UnitLength.Of(x);
            // 0 at 0 and 1 from ½ on, with two derivatives: q³(10 − 15q + 6q²)
            var q = length.mul(Scalars.Two).clamp(Scalars.Zero, Scalars.One);
            var pace = q.mul(six).add(fifteen, Scalars.One).mul(q).add(ten, Scalars.One).mul(q.pow(Scalars.Of(3)));
            var rest = q.mul(q.neg().add(Scalars.One, Scalars.One));
            return new(x.div(length), pace, length.mul(pace), pace.addcmul(length, rest.mul(rest).mul(sixty), Scalars.One));
        }

        /// <summary>Vectors (..., N, D) without their parts along y.</summary>
        public Tensor Tangent(Tensor vectors) => vectors.sub(Unit.mul(Dot(vectors, Unit)));

        /// <summary>D − 1 directions (D − 1, N, D) at right angles to y and to each other: columns of the reflection
        /// that takes y to the first axis.</summary>
        public Tensor Frame()
        {
            var size = Unit.shape[1];
            var axis = zeros_like(Unit);
            axis.select(1, 0).copy_(Unit.detach().select(1, 0).ge(Scalars.Zero).to(Unit.dtype).mul(Scalars.Two).sub(Scalars.One));
            var mirror = Unit.add(axis, Scalars.One);
            var scaled = mirror.mul(mirror.pow(Scalars.Two).sum([1L], keepdim: true).reciprocal().mul(Scalars.Of(-2)));
            var others = eye(size, dtype: Unit.dtype, device: Unit.device).narrow(0, 1, size - 1).unsqueeze(1);
            return others.addcmul(scaled.unsqueeze(0), mirror.narrow(1, 1, size - 1).t().unsqueeze(2), Scalars.One);
        }
    }
}
