using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Losses that fit a flow q to a density p that is known up to its normalizer Z, without any data: p(x) = p̃(x)/Z.</summary>
/// <remarks>Thread safety: as training, for one thread.</remarks>
public static class VariationalInference
{
    /// <summary>
    /// The reverse Kullback-Leibler divergence without its constant: E_q[log q(x) - log p̃(x)] = KL(q‖p) - log Z, in nats, from samples of
    /// the flow. It is minus the evidence lower bound (Rezende and Mohamed, arXiv 1505.05770, equation 15).
    /// </summary>
    /// <remarks>
    /// <para>Call <c>backward()</c> on the result, then <see cref="AdamOptimizer.Step"/>. For x = f⁻¹(z), the gradient of
    /// <see cref="GradientEstimator.Total"/> is that of the mean itself; that of <see cref="GradientEstimator.Path"/> is the mean of
    /// (∂/∂x [log q(x) - log p̃(x)])·∂x/∂θ (arXiv 2206.09016, equation 6). The value is the same for both.</para>
    /// <para>The flow computes in evaluation mode whatever its mode is, since q must be one and the same density in all passes; its mode
    /// comes back. Weights of <paramref name="logDensity"/> and the context get their gradients too.</para>
    /// <para>A reverse divergence is blind to modes of p that q has not found. <see cref="ImportanceSampling"/> says how good q is.</para>
    /// </remarks>
    /// <param name="flow">q. It stays the caller's.</param>
    /// <param name="logDensity">
    /// log p̃: gives the log-density (K), in nats, of points (K, ...) in the shape of
    /// <see cref="Flow.InputShape"/>, differentiably. K is N, or M·N with contexts: the N points of the
    /// first context come first. Finite for every point; it must not dispose or change its argument.
    /// </param>
    /// <param name="samples">N, the number of samples, for each context if there are contexts; at least 1.</param>
    /// <param name="context">(M, C) for a conditional flow, M at least 1: the result is the mean over the contexts.</param>
    /// <param name="estimator">How the gradient is estimated.</param>
    /// <param name="seed">Makes the result repeatable; null draws from torch's generator. Take another one in every step.</param>
    /// <returns>A tensor without dimensions, which the caller disposes.</returns>
    /// <exception cref="ArgumentException">
    /// An argument does not fit, a layer of the flow is random, as a dequantization
    /// is, or the log-density of a point is not finite; the message says of which.
    /// </exception>
    /// <exception cref="InvalidOperationException">A sample of the flow is not finite,
    /// or its base density has weights but draws samples without gradients.</exception>
    public static Tensor ReverseKl(Flow flow, Func<Tensor, Tensor> logDensity, long samples, Tensor? context = null,
        GradientEstimator estimator = GradientEstimator.Path, long? seed = null)
    {
        ArgumentNullException.ThrowIfNull(flow);
        ArgumentNullException.ThrowIfNull(logDensity);
        ArgumentOutOfRangeException.ThrowIfLessThan(samples, 1);
        if (!Enum.IsDefined(estimator)) throw new ArgumentOutOfRangeException(nameof(estimator), estimator, "There is no such estimator.");
        return ReverseKlOf(flow, (x, _) => logDensity(x), samples, context, estimator, seed,
            $"{nameof(VariationalInference)}.{nameof(ReverseKl)}", check: true);
    }

    /// <summary>As the public method, with a log-density that takes the context of each point too.</summary>
    /// <param name="flow">q.</param>
    /// <param name="logDensity">log p̃ of points (K, ...) and the contexts of each, (K, ...) or null.</param>
    /// <param name="samples">N, at least 1.</param>
    /// <param name="context">The contexts (M, ...), or null.</param>
    /// <param name="estimator">How the gradient is estimated.</param>
    /// <param name="seed">Fixes the noise.</param>
    /// <param name="owner">What errors name.</param>
    /// <param name="check">Whether values are looked at, which waits for a device; if not, what is not finite makes the result so.</param>
    internal static Tensor ReverseKlOf(Flow flow, Func<Tensor, Tensor?, Tensor> logDensity, long samples, Tensor? context,
        GradientEstimator estimator, long? seed, string owner, bool check)
    {
        if (flow.IsStochastic) throw new ArgumentException(flow.Stochastic(owner), nameof(flow));
        flow.CheckContext(context, null, owner, mayWait: check);
        if (context?.shape[0] == 0)
            throw new ArgumentException($"{owner} needs at least one context; got an empty batch.", nameof(context));

        using var scope = NewDisposeScope();
        var (x, drawn) = flow.Draw(samples, context, 1, seed, owner, Passes.One, check: false);
        var logProb = drawn!;
        var given = context?.repeat_interleave(samples, 0);
        Tensor Target(Tensor points)
        {
            var values = logDensity(points, given);
            // without its gradient the flow would only be taught to spread
            if (values is { IsInvalid: false, requires_grad: false } && values.is_floating_point() && points.requires_grad
                && is_grad_enabled())
                throw new ArgumentException(
                    $"{owner} expects logDensity to be differentiable with respect to the points, but what it gave has no gradient. " +
                    $"Compute it by operations of torch on the points, without no_grad, detach or .data; of a density that is constant " +
                    $"add points.flatten(1).sum(1) * 0.", nameof(logDensity));
            return values;
        }
        if (estimator == GradientEstimator.Total || !is_grad_enabled())
            return scope.MoveToOuter(LogWeights.Of(Target, x, logProb, zeroAllowed: false, 0, owner, check).mean().neg());

        // log q reaches the weights through x only: its value is a constant, and its derivative along x stands in for it
        var value = LogWeights.Of(Target, x, logProb.detach(), zeroAllowed: false, 0, owner, check).mean().neg();
        var along = flow.LogProbGradient(x, given).mul(x).sum().mul(Scalars.Of(1.0 / x.shape[0]));
        return scope.MoveToOuter(value.add(along.sub(along.detach()), Scalars.One));
    }
}
