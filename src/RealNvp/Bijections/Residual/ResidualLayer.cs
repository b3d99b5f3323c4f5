using System.Runtime.InteropServices;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// An invertible residual block: z = x + g(x) with a network g whose Lipschitz constant is below 1, so that
/// z has one x only; log|det| = log det(I + ∂g/∂x) (i-ResNets, arXiv 1811.00995; Residual Flows, arXiv 1906.02735).
/// </summary>
/// <remarks>
/// <para>Any network will do whose bound is known: <see cref="LipschitzMlp"/> and
/// <see cref="LipschitzConvNet"/> say it by <see cref="ILipschitz"/>; of any other module, the caller
/// says it. g may be conditional: its context is one more input, for which there is no bound.</para>
/// <para>Up to <see cref="ResidualLogDet.ExactUpTo"/> features the log-determinant is exact, from the
/// Jacobian of each example. Beyond, it is an estimate (<see cref="Bijection.IsStochastic"/>), whose noise
/// comes from the seed of the pass; <see cref="EstimateLogDet"/> says how far it may be off.</para>
/// <para>Inverse goes from x to z − g(x), with Anderson acceleration, until |x + g(x) − z| is at most 1e-6
/// in float32 and 1e-12 in float64, or four units in the last place of the largest number in z and x, for
/// each example; it throws if that is not reached. It is differentiable, by the implicit function.</para>
/// <para>State-dict keys: <c>network.*</c>.</para>
/// </remarks>
public sealed partial class ResidualLayer : Bijection
{
    private const int MostProbes = 100_000;

    private readonly nn.Module network;
    private readonly ConditionerSizes sizes;
    private readonly bool isChecked;
    private readonly long features;

    /// <summary>Makes the layer with a conditional network.</summary>
    /// <param name="inputShape">[D] or [C, H, W]; all sizes known.</param>
    /// <param name="network">g, from (N, ...) to (N, ...) of the same shape. It is owned by the layer from now on.</param>
    /// <param name="logDet">How the log-determinant is had; null for exact up to 16 features, and the roulette beyond.</param>
    /// <param name="lipschitz">The bound of g's Lipschitz constant, above 0 and below 1; null if the network says it.</param>
    /// <exception cref="ArgumentException">The network does not fit, mixes the examples
    /// of a batch, or nobody says its bound; or the bound is not below 1.</exception>
    public ResidualLayer(EventShape inputShape, Conditioner network, ResidualLogDet? logDet = null, double? lipschitz = null)
        : this(inputShape, (nn.Module)network, logDet, lipschitz) { }

    /// <summary>Makes the layer with any network that takes one tensor and gives one; it then takes no context.</summary>
    /// <inheritdoc cref="ResidualLayer(EventShape, Conditioner, ResidualLogDet, double?)"/>
    public ResidualLayer(EventShape inputShape, nn.Module<Tensor, Tensor> network, ResidualLogDet? logDet = null, double? lipschitz = null)
        : this(inputShape, (nn.Module)network, logDet, lipschitz) { }

    private ResidualLayer(EventShape inputShape, nn.Module network, ResidualLogDet? logDet, double? lipschitz)
        : base(nameof(ResidualLayer), inputShape)
    {
        ArgumentNullException.ThrowIfNull(network);
        if (!inputShape.IsFixed || inputShape.NumElements < 1)
            throw new ArgumentException($"A residual layer needs a shape with all sizes known; got {inputShape}.", nameof(inputShape));
        LogDet = logDet ?? new ResidualLogDet();
        LogDet.Check();
        features = inputShape.NumElements;
        int[] all = [.. Enumerable.Range(0, checked((int)inputShape[0]))];
        ContextSize = (network as Conditioner)?.ContextSize ?? 0;
        sizes = new ConditionerSizes(inputShape, inputShape, all, all, 1, false, ContextSize)
        {
            Advice = "for its output is added to its input: a LipschitzMlp or a LipschitzConvNet whose inputs and outputs have that size.",
        };
        (this.network, isChecked) = NetworkCheck.Network(network, null, sizes, nameof(ResidualLayer));
        LipschitzBound = Bound(network, lipschitz);
        ResidualNetworkCheck.Require(network, inputShape, ContextSize, nameof(network));
        RegisterComponents();
    }

    /// <summary>How the log-determinant is had.</summary>
    public ResidualLogDet LogDet { get; }

    /// <summary>The bound of g's Lipschitz constant.</summary>
    public double LipschitzBound { get; }

    /// <summary>g; the layer owns it.</summary>
    public nn.Module Network => network;

    /// <summary>Whether the log-determinant is exact.</summary>
    public bool IsExact => LogDet.IsExact(features);

    /// <inheritdoc/>
    public override long ContextSize { get; }

    /// <summary>True if the log-determinant is an estimate. The values are the same for every seed.</summary>
    public override bool IsStochastic => !IsExact;

    /// <summary>Exact, or an unbiased estimate; with a truncated series an estimate
    /// that is off by D·cⁿ⁺¹/((n + 1)(1 − c)) at most on average.</summary>
    public override Likelihood Likelihood => IsExact ? Likelihood.Exact
        : LogDet.Series == ResidualSeries.Roulette ? Likelihood.Estimate
        : Likelihood.Estimate.With(Likelihood.OfSeries(features, LipschitzBound, LogDet.EvaluationTerms));

    /// <inheritdoc/>
    public override bool HasFastInverse => false;

    /// <summary>Estimates of the log-determinants with their standard errors, from the
    /// spread of probes, which the layer draws for each. Without gradients.</summary>
    /// <remarks>The standard error is null for one probe, which tells nothing of the spread. A truncated
    /// series has an error besides, which no probe shows: <see cref="Likelihood"/>.</remarks>
    /// <param name="x">(N, ...).</param>
    /// <param name="context">(N, C) for a conditional network.</param>
    /// <param name="probes">The number of probes, 1 to 100,000; null for that of <see cref="ResidualLogDet.EvaluationProbes"/>.</param>
    /// <param name="seed">Makes the estimates repeatable; null draws from torch's generator.</param>
    /// <returns>The estimates (N) and their standard errors (N), or null for one probe. The caller disposes both.</returns>
    /// <exception cref="ArgumentException">A shape, dtype or device does not fit, or the number of probes is out of range.</exception>
    public (Tensor LogDet, Tensor? StandardError) EstimateLogDet(Tensor x, Tensor? context = null, int? probes = null, long? seed = null)
    {
        CheckInput(x, context, nameof(EstimateLogDet));
        var number = probes ?? LogDet.EvaluationProbes;
        if (number is < 1 or > MostProbes)
            throw new ArgumentOutOfRangeException(nameof(probes), number,
                $"{GetName()}.{nameof(EstimateLogDet)} expects 1 to {MostProbes} probes.");
        using var gradients = no_grad();
        using var scope = NewDisposeScope();
        using var random = Layers.PassState.Seed(seed);
        var draws = Estimates(NetworkCall.Of(network).At(x, context), x, number, Pass.Here(context).Generator);
        var mean = draws.mean([0L]);
        if (number == 1) return (scope.MoveToOuter(mean), null);
        return (scope.MoveToOuter(mean),
            scope.MoveToOuter(draws.std(0, unbiased: true, keepdim: false).div(Scalars.Of(Math.Sqrt(number)))));
    }

    /// <inheritdoc/>
    // the inverse is a search
    protected internal override bool KeepsInput(bool inverse) => !inverse || MixesBatchInTraining;

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        if ((IsExact || !pass.WantsLogDet)
            && (network as IResidualNetwork)?.TryBlock(x, pass.Context, pass.WantsLogDet, isStep: true) is { } fused)
            return fused;
        var call = NetworkCall.Of(network);
        if (!pass.WantsLogDet) return (x.add(Kept(x, Tried(x, () => call.Run(x, pass.Context))), Scalars.One), null);
        var (value, logDet) = Apply(call, x, pass);
        return (x.add(value, Scalars.One), logDet);
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        var context = pass.Context;
        var fused = network as IResidualNetwork;
        NetworkCall? call = null;
        if ((fused is null ? null : FixedPoint.TrySolve(fused, z, context, LipschitzBound, GetName())) is not { } x)
        {
            call = NetworkCall.Of(network);
            x = FixedPoint.Solve(call.Run, z, context, LipschitzBound, GetName());
        }
        if (is_grad_enabled())
        {
            call ??= NetworkCall.Of(network, isStep: false);
            var residual = z.sub(x).sub(call.Run(x, context));
            if (residual.requires_grad) x = ImplicitFunction.Of(residual, x, context, network, LipschitzBound);
        }
        if (!pass.WantsLogDet) return (x, null);
        if (IsExact && fused?.TryBlock(x, context, wantsLogDet: true, isStep: false) is { } block) return (x, block.LogDet!.neg());
        return (x, Apply(call ?? NetworkCall.Of(network, isStep: false), x, pass).LogDet.neg());
    }

    // g(x), and log det(I + J)
    private (Tensor Value, Tensor LogDet) Apply(NetworkCall call, Tensor x, Pass pass)
    {
        // without examples there is nothing to factor
        if (x.shape[0] == 0) return (Kept(x, call.Run(x, pass.Context)), zeros(0, dtype: x.dtype, device: x.device));
        if (!IsExact)
        {
            var at = Tried(x, () => call.At(x, pass.Context));
            return (Kept(x, at.Value), Estimated(at, x, pass));
        }
        var (value, jacobian) = Tried(x, () => call.WithJacobian(x, pass.Context));
        return (Kept(x, value), JacobianLogDet.Of(jacobian));
    }

    private T Tried<T>(Tensor x, Func<T> run)
    {
        try { return run(); }
        catch (Exception e) when (!isChecked && e is (ExternalException or ArgumentException))
        {
            throw new InvalidOperationException(NetworkCheck.Failure(network, sizes, GetName(), x.shape, e), e);
        }
    }

    private Tensor Kept(Tensor x, Tensor value) => value.shape.AsSpan().SequenceEqual(x.shape) ? value
        : throw new InvalidOperationException($"The network of {GetName()} maps {EventShape.Format(x.shape)} to " +
            $"{EventShape.Format(value.shape)}; it must keep the shape.");

    private Tensor Estimated(Linearization at, Tensor x, Pass pass)
    {
        var draws = Estimates(at, x, training ? LogDet.Probes : LogDet.EvaluationProbes, pass.Generator);
        if (pass.WantsErrors)
        {
            var probes = draws.shape[0];
            // one draw tells nothing of its spread
            pass.AddVariance(probes == 1 ? null : draws.@var(0, unbiased: true, keepdim: false).div(Scalars.Of(probes)));
            if (Likelihood.MaxError > 0) pass.AddError(full_like(draws[0], Scalars.Of(Likelihood.MaxError)));
        }
        return draws.mean([0L]);
    }

    // (probes, N)
    private Tensor Estimates(Linearization at, Tensor x, int probes, Generator? generator)
    {
        var draws = new List<Tensor>();
        for (var i = 0; i < probes; i++)
        {
            using var step = NewDisposeScope();
            var probe = LogDet.Probe == HutchinsonProbe.Gaussian ? Noise.Normal(x.shape, x.dtype, x.device, generator)
                : Noise.Uniform(x.shape, x.dtype, x.device, generator).lt(Scalars.Half).to(x.dtype).mul(Scalars.Two).sub(Scalars.One);
            draws.Add(step.MoveToOuter(SeriesLogDet.Of(at, probe, SeriesLogDet.Draw(LogDet, training, generator), LogDet)));
        }
        return stack(draws);
    }

    private void CheckInput(Tensor x, Tensor? context, string method)
    {
        CheckAlive();
        var owner = $"{GetName()}.{method}";
        Check.Batch(x, nameof(x), owner, InputShape);
        var weight = parameters().FirstOrDefault();
        Check.Like(x, nameof(x), owner, weight);
        Check.Context(context, ContextSize, x.shape[0], owner, weight);
    }

    private static double Bound(nn.Module network, double? lipschitz)
    {
        var bound = lipschitz ?? (network as ILipschitz)?.LipschitzBound ?? throw new ArgumentException(
            $"{NetworkCheck.Of(network, nameof(ResidualLayer))} does not say its Lipschitz constant, which must be below 1. Use a " +
                $"{nameof(LipschitzMlp)} or a {nameof(LipschitzConvNet)}, implement {nameof(ILipschitz)}, or say the bound: lipschitz: " +
                $"0.9.", nameof(network));
        return bound > 0 && bound < 1 ? bound
            : throw new ArgumentOutOfRangeException(nameof(lipschitz), bound,
                $"The Lipschitz constant of the network of a {nameof(ResidualLayer)} must be above 0 and below 1, or the layer has no " +
                $"inverse.");
    }
}
