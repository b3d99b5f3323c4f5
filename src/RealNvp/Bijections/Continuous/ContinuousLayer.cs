using RealNvp.Internal;
using RealNvp.Layers;
using RealNvp.Ode;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A continuous normalizing flow: examples follow dx/dt = v(t, x) from latents at t = 0 to data at t = 1, and log|det| is the
/// integral of the divergence of v along the path (Neural ODEs, arXiv 1806.07366, equation 8; FFJORD, arXiv 1810.01367).
/// </summary>
/// <remarks>
/// <para>Forward maps data to latents and solves from t = 1 to t = 0; Inverse solves from 0 to 1. The
/// convention is that of flow matching, whose objectives train the same dynamics without solving.
/// FFJORD's papers count the other way: v(t, x) = −T·f(T·(1 − t), x) for their f on [0, T].</para>
/// <para>Each example has steps of its own (<see cref="OdeSolver"/>), so its log-probability does not depend on its batch. Values and
/// log-determinants are exact up to the tolerance of the solver (<see cref="Likelihood"/>), which holds for the error of one step in x
/// and in nats. Dynamics that are stiff, grow without bound or are not finite end in an <see cref="OdeException"/>.</para>
/// <para>With an estimated divergence the layer is stochastic (<see cref="IsStochastic"/>): its values
/// are not random, its log-determinants are; the noise comes from the seed of the pass.</para>
/// <para>State-dict keys: <c>dynamics.*</c>. It owns the dynamics.</para>
/// </remarks>
public sealed partial class ContinuousLayer : Bijection, IFollowsVelocity
{
    private readonly Dynamics dynamics;
    private readonly EventShape shape;
    private readonly DivergenceKind divergence;

    /// <summary>Makes the layer.</summary>
    /// <param name="dynamics">v; <see cref="RealNvp.Dynamics.From(nn.Module{Tensor, Tensor, Tensor})"/>
    /// makes it of any network. It is owned by the layer from now on.</param>
    /// <param name="shape">The shape of one example, all sizes known.</param>
    /// <param name="options">How to solve; null for the defaults.</param>
    /// <exception cref="ArgumentException">The dynamics are not for this shape, or an option is out of its range.</exception>
    public ContinuousLayer(Dynamics dynamics, EventShape shape, ContinuousOptions? options = null) : base(nameof(ContinuousLayer), shape)
    {
        ArgumentNullException.ThrowIfNull(dynamics);
        if (!shape.IsFixed || shape.NumElements < 1)
            throw new ArgumentException($"A continuous layer needs a shape with all sizes known; got {shape}.", nameof(shape));
        Options = options ?? new();
        Options.Validate();
        dynamics.Require(shape, nameof(ContinuousLayer), nameof(dynamics));
        (this.dynamics, this.shape) = (dynamics, shape);
        divergence = Options.Divergence != DivergenceKind.Automatic ? Options.Divergence
            : shape.NumElements <= Options.ExactUpTo || dynamics.HasCheapDivergence ? DivergenceKind.Exact
            : DivergenceKind.Hutchinson;
        RegisterComponents();
    }

    /// <summary>v; the layer owns it.</summary>
    public Dynamics Dynamics => dynamics;

    /// <summary>How it solves.</summary>
    public ContinuousOptions Options { get; }

    /// <summary>How the divergence is had; never <see cref="DivergenceKind.Automatic"/>.</summary>
    public DivergenceKind Divergence => divergence;

    /// <summary>What the last solve on any thread took; null before the first. For a look at how hard the dynamics are.</summary>
    public OdeStatistics? LastStatistics { get; private set; }

    /// <inheritdoc/>
    public override long ContextSize => dynamics.ContextSize;

    /// <inheritdoc/>
    public override IReadOnlyList<Circle> CircularFeatures => dynamics.CircularFeatures;

    /// <summary>What the dynamics say: lengths are then kept to the last digit, whatever the tolerance of the solver.</summary>
    public override bool KeepsLength => dynamics.KeepsLength;

    /// <summary>True if the log-determinant is an estimate. The values are the same for every seed.</summary>
    public override bool IsStochastic => divergence != DivergenceKind.Exact;

    /// <summary>False: a solve takes many calls of the network.</summary>
    public override bool HasFastForward => false;

    /// <summary>False: a solve takes many calls of the network.</summary>
    public override bool HasFastInverse => false;

    /// <inheritdoc/>
    public override Likelihood Likelihood
    {
        get
        {
            var numerical = Likelihood.Numerical(Options.Solver(ScalarType.Float32, [1]).IsAdaptive ? Options.ToleranceFor(Dtype) : null);
            return IsStochastic ? numerical.With(Likelihood.Estimate) : numerical;
        }
    }

    /// <summary>Forward, with what the path from data to latents cost: for the regularizers
    /// of RNODE (arXiv 2002.02798), as <see cref="Objective"/>s use them.</summary>
    /// <param name="x">(N, ...), with the dtype and on the device of the weights.</param>
    /// <param name="context">(N, C) if <see cref="ContextSize"/> is C; null if that is 0.</param>
    /// <returns>
    /// z; log|det ∂z/∂x| (N); the kinetic energy ∫ |v|² dt (N); and ∫ ‖∂v/∂x‖² dt, the squared Frobenius norm
    /// (N), which is an estimate where the divergence is one. All have gradients. The caller disposes them.
    /// </returns>
    /// <exception cref="ArgumentException">A shape, dtype or device does not fit.</exception>
    public (Tensor Value, Tensor LogDet, Tensor Kinetic, Tensor Frobenius) ForwardWithCost(Tensor x, Tensor? context = null)
    {
        using var cost = new PathCost(kinetic: true, frobenius: true);
        using var asked = PassState.AskCost(cost);
        var (value, logDet) = Forward(x, context);
        return (value, logDet, cost.Kinetic!.alias(), cost.Frobenius!.alias());
    }

    /// <inheritdoc/>
    // what it rebuilds is right up to the tolerance only
    protected internal override bool KeepsInput(bool inverse) => true;

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => Solve(x, pass, 1, 0);

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => Solve(z, pass, 0, 1);

    private ScalarType Dtype => parameters().FirstOrDefault(p => p.is_floating_point())?.dtype ?? get_default_dtype();

    private (Tensor, Tensor?) Solve(Tensor x, Pass pass, double from, double to)
    {
        var (n, size) = (x.shape[0], shape.NumElements);
        if (pass.State?.Solver is { } wanted) return (Moved(x, pass, from, to, wanted), null);
        // the divergence is most of the work, and steps need not follow it
        if (!pass.WantsLogDet && pass.State?.Cost is null)
            return (Moved(x, pass, from, to, Options.Solver(x.dtype, Weights(size, default), pass.State?.ToleranceFactor ?? 1)), null);
        var probes = divergence == DivergenceKind.Exact ? 1 : training ? Options.Probes : Options.EvaluationProbes;
        var cost = pass.State?.Cost;
        var extras = new ContinuousExtras(probes, cost is { WantsKinetic: true }, cost is { WantsFrobenius: true });
        List<Tensor> given = pass.Context is { } context ? [context] : [];
        if (divergence != DivergenceKind.Exact)
            given.Add(Draw(n, divergence == DivergenceKind.HutchPlusPlus ? 2 * probes : probes, x, pass.Generator));
        var system = new ContinuousSystem(dynamics, shape, divergence, extras, pass.Context is not null);
        var start = cat([x.reshape(n, size), zeros([n, extras.Count], dtype: x.dtype, device: x.device)], 1);
        var options = Options.Solver(x.dtype, Weights(size, extras), pass.State?.ToleranceFactor ?? 1);
        var (end, statistics) = OdeRun.Solve(system, start, given, new OdePlan(options, [from, to], start.shape[1], x.dtype), all: false);
        LastStatistics = statistics;
        var value = WithLengthOf(start.narrow(1, 0, size), end.narrow(1, 0, size)).reshape(x.shape);
        var logDets = end.narrow(1, size, probes);
        // costs are those of the way to the latents: time runs backwards there
        var at = size + probes;
        if (extras.Kinetic) cost!.AddKinetic(Positive(end.select(1, at++), from, to));
        if (extras.Frobenius) cost!.AddFrobenius(Positive(end.select(1, at), from, to));
        if (pass.WantsErrors && IsStochastic) pass.AddVariance(probes == 1 ? null : logDets.var(1, unbiased: true).div(Scalars.Of(probes)));
        return (value.contiguous(), probes == 1 ? logDets.select(1, 0).contiguous() : logDets.mean([1L]));
    }

    // the values alone
    private Tensor Moved(Tensor x, Pass pass, double from, double to, OdeOptions options)
    {
        var system = new ContinuousSystem(dynamics, shape, divergence, new ContinuousExtras(0, false, false), pass.Context is not null);
        var start = x.reshape(x.shape[0], shape.NumElements);
        var (end, statistics) = OdeRun.Solve(system, start, pass.Context is { } context ? [context] : [],
            new OdePlan(options, [from, to], start.shape[1], x.dtype), all: false);
        LastStatistics = statistics;
        return WithLengthOf(start, end).reshape(x.shape).contiguous();
    }

    // a solver leaves a sphere by its error; a way back along x changes no log-determinant
    private Tensor WithLengthOf(Tensor start, Tensor end) => dynamics.KeepsLength ? UnitLength.Restored(end, start) : end;

    private static Tensor Positive(Tensor integral, double from, double to) => to < from ? integral.neg() : integral;

    private Tensor Draw(long n, long probes, Tensor like, Generator? generator)
    {
        long[] size = [n, probes, shape.NumElements];
        return Options.Probe == HutchinsonProbe.Gaussian
            ? Noise.Normal(size, like.dtype, like.device, generator)
            : Noise.Uniform(size, like.dtype, like.device, generator).lt(Scalars.Half).to(like.dtype).mul(Scalars.Two).sub(Scalars.One);
    }

    // the mean square of x, and that of the log-determinants, count alike; costs do not choose the steps
    private static double[] Weights(long size, ContinuousExtras extras)
    {
        var weights = new double[size + extras.Count];
        Array.Fill(weights, 1.0 / size, 0, (int)size);
        Array.Fill(weights, 1.0 / Math.Max(1, extras.LogDets), (int)size, extras.LogDets);
        return weights;
    }
}
