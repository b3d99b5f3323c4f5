using RealNvp.Internal;
using RealNvp.Ode;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>What the state of a continuous flow holds beside x.</summary>
/// <param name="LogDets">The number of log-determinants: 1 if it is exact, one for each probe if not, 0 if nobody wants it.</param>
/// <param name="Kinetic">Whether ∫ |v|² dt is among the states.</param>
/// <param name="Frobenius">Whether ∫ ‖∂v/∂x‖² dt is.</param>
internal readonly record struct ContinuousExtras(int LogDets, bool Kinetic, bool Frobenius)
{
    public int Count => LogDets + (Kinetic ? 1 : 0) + (Frobenius ? 1 : 0);
}

/// <summary>dx/dt = v(t, x), and with it the divergence and the costs of the path: one row for an example, x first.</summary>
internal sealed class ContinuousSystem(Dynamics dynamics, EventShape shape, DivergenceKind divergence, ContinuousExtras extras,
    bool hasContext) : OdeSystem
{
    private readonly long size = shape.NumElements;
    private readonly Tensor[] parameters = [.. dynamics.parameters()];

    public override IReadOnlyList<Tensor> Parameters => parameters;

    public override (DynamicsNetwork Network, Tensor? Context)? Fused(IReadOnlyList<Tensor> given)
    {
        return IsNetwork && dynamics.Network is { } network ? (network, hasContext ? given[0] : null) : null;
    }

    // whether x, and its exact log-determinant if it is wanted, are all there is
    private bool IsNetwork => extras.Count == 0 || (extras.Count == 1 && extras.LogDets == 1 && divergence == DivergenceKind.Exact);

    // a module's own parameters are a part of the graph that leads to the state, and cannot be told from those of this solve
    public override OdeSystem? With(IReadOnlyList<Tensor> parameters)
    {
        if (!IsNetwork || dynamics.Network is not { } network) return null;
        var places = new Dictionary<IntPtr, Tensor>();
        for (var i = 0; i < parameters.Count; i++) places[this.parameters[i].Handle] = parameters[i];
        return new Replaced(network, places, extras.LogDets > 0, hasContext);
    }

    public override Tensor Evaluate(Tensor t, Tensor y, IReadOnlyList<Tensor> given)
    {
        var (n, context) = (y.size(0), hasContext ? given[0] : null);
        var x = (extras.Count == 0 ? y : y.narrow(1, 0, size)).reshape(shape.WithBatch(n));
        if (extras.LogDets == 0 && !extras.Frobenius)
        {
            var velocity = dynamics.Velocity(t, x, context);
            return Join(velocity, null, null);
        }
        if (divergence == DivergenceKind.Exact) return Exact(t, x, context);
        // (n, k, D) of probes
        var probes = given[hasContext ? 1 : 0].transpose(0, 1);
        return divergence == DivergenceKind.HutchPlusPlus ? HutchPlusPlus(t, x, context, probes) : Hutchinson(t, x, context, probes);
    }

    private Tensor Exact(Tensor t, Tensor x, Tensor? context)
    {
        if (!extras.Frobenius)
        {
            var (v, sum) = dynamics.VelocityAndDivergence(t, x, context);
            return Join(v, sum.unsqueeze(1), null);
        }
        // all derivatives
        var units = eye(size, dtype: x.dtype, device: x.device).unsqueeze(1).expand(size, x.size(0), size).reshape([size, .. x.shape]);
        var (velocity, products) = dynamics.VelocityAndProducts(t, x, units, context);
        var jacobian = products.reshape(size, x.size(0), size);
        var trace = jacobian.diagonal(0, 0, 2).sum(1);
        return Join(velocity, trace.unsqueeze(1), jacobian.pow(Scalars.Two).sum([0L, 2L]));
    }

    // εᵀJε, and the mean of |Jε|², which is ‖J‖² on average
    private Tensor Hutchinson(Tensor t, Tensor x, Tensor? context, Tensor probes)
    {
        var (velocity, products) = dynamics.VelocityAndProducts(t, x, probes.reshape([probes.size(0), .. x.shape]), context);
        var flat = products.reshape(probes.shape);
        return Join(velocity, flat.mul(probes).sum(2).t(), extras.Frobenius ? flat.pow(Scalars.Two).sum(2).mean([0L]) : null);
    }

    // with Q an orthonormal basis of what J makes of half of the probes: tr(QᵀJQ) + (Pg)ᵀJ(Pg) for P = I − QQᵀ and the other half
    private Tensor HutchPlusPlus(Tensor t, Tensor x, Tensor? context, Tensor probes)
    {
        var k = probes.size(0) / 2;
        var sketch = dynamics.VelocityAndProducts(t, x, probes.narrow(0, 0, k).reshape([k, .. x.shape]), context).Products.reshape(k,
            x.size(0), size);
        var basis = Orthonormal(sketch);
        var rest = WithoutBasis(probes.narrow(0, k, k), basis);
        var all = cat([basis, rest], 0);
        var (velocity, products) = dynamics.VelocityAndProducts(t, x, all.reshape([2 * k, .. x.shape]), context);
        var parts = products.reshape(all.shape).mul(all).sum(2);
        var logDets = parts.narrow(0, k, k).add(parts.narrow(0, 0, k).sum(0), Scalars.One);
        var squares = extras.Frobenius ? products.reshape(all.shape).pow(Scalars.Two).sum(2) : null;
        var frobenius = squares is null ? null : squares.narrow(0, 0, k).sum(0).add(squares.narrow(0, k, k).mean([0L]), Scalars.One);
        return Join(velocity, logDets.t(), frobenius);
    }

    // Gram and Schmidt, twice for the digits; a direction that is none becomes 0, which leaves more to the probes
    private static Tensor Orthonormal(Tensor vectors)
    {
        List<Tensor> basis = [];
        var tiny = Scalars.Of(finfo(vectors.dtype).tiny);
        for (var i = 0; i < vectors.size(0); i++)
        {
            var vector = Normal(vectors.select(0, i), tiny);
            for (var round = 0; round < 2 && basis.Count > 0; round++)
            {
                foreach (var other in basis) vector = vector.sub(other.mul(vector.mul(other).sum(1, keepdim: true)));
                var left = vector.pow(Scalars.Two).sum(1, keepdim: true);
                // what rounding has left of a vector within the others is no direction
                vector = vector.mul(left.detach().gt(Scalars.Of(1e-10)).to(vector.dtype));
                vector = Normal(vector, tiny);
            }
            basis.Add(vector);
        }
        return stack(basis);
    }

    private static Tensor Normal(Tensor vector, Scalar tiny) =>
        vector.mul(vector.pow(Scalars.Two).sum(1, keepdim: true).add(tiny, Scalars.One).rsqrt());

    private static Tensor WithoutBasis(Tensor vectors, Tensor basis)
    {
        for (var i = 0; i < basis.size(0); i++)
        {
            var other = basis.select(0, i).unsqueeze(0);
            vectors = vectors.sub(other.mul(vectors.mul(other).sum(2, keepdim: true)));
        }
        return vectors;
    }

    private Tensor Join(Tensor velocity, Tensor? logDets, Tensor? frobenius)
    {
        var flat = velocity.reshape(velocity.size(0), size);
        if (extras.Count == 0) return flat.contiguous();
        List<Tensor> parts = [flat];
        if (extras.LogDets > 0) parts.Add(logDets!);
        if (extras.Kinetic) parts.Add(flat.pow(Scalars.Two).sum(1, keepdim: true));
        if (extras.Frobenius) parts.Add(frobenius!.unsqueeze(1));
        return cat(parts, 1);
    }

    private sealed class Replaced(DynamicsNetwork network, Dictionary<IntPtr, Tensor> places, bool wantsDivergence, bool hasContext)
        : OdeSystem
    {
        public override IReadOnlyList<Tensor> Parameters => [.. places.Values];

        public override Tensor Evaluate(Tensor t, Tensor y, IReadOnlyList<Tensor> given) =>
            network.Slope(t, y, hasContext ? given[0] : null, wantsDivergence, weight => places[weight.Handle]);
    }
}
