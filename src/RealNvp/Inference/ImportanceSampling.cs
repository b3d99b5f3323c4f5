using System.Globalization;
using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A flow q as the proposal of importance sampling for a density p(x) = p̃(x)/Z that is known up to Z: unbiased where the flow is not
/// perfect, and a measure of how far from perfect it is.
/// </summary>
/// <remarks>Thread safety: that of <see cref="Flow.SampleAndLogProb"/> and of the log-density that is passed.</remarks>
public static class ImportanceSampling
{
    /// <summary>Estimates log Z = log ∫p̃(x)dx from samples of a flow, and how
    /// well the flow covers p. Without gradients, in evaluation mode.</summary>
    /// <remarks>
    /// Ẑ = 1/N Σ p̃(xᵢ)/q(xᵢ), summed in the log domain, batch by batch: memory does not grow with N. q must be positive where
    /// p̃ is; a flow over the whole space is, but tails of q that are lighter than those of p can make the variance infinite.
    /// </remarks>
    /// <param name="flow">q. It stays the caller's.</param>
    /// <param name="logDensity">
    /// log p̃: gives the log-density (K), in nats, of points (K, ...) in the shape of <see cref="Flow.InputShape"/>; -∞ if the density
    /// is 0. It must not dispose or change its argument.
    /// </param>
    /// <param name="samples">N; at least 1.</param>
    /// <param name="context">(1, C) for a conditional flow: the context of all samples.</param>
    /// <param name="batchSize">The number of samples at a time; at least 1.</param>
    /// <param name="seed">Makes the result repeatable for a given batch size; null draws from torch's generator.</param>
    /// <exception cref="ArgumentException">
    /// An argument does not fit, a layer of the flow is random, as a dequantization
    /// is, or the log-density of a sample is NaN or +∞; the message says of which.
    /// </exception>
    /// <exception cref="InvalidOperationException">A sample of the flow is not finite.</exception>
    public static ImportanceEstimate Estimate(Flow flow, Func<Tensor, Tensor> logDensity, long samples, Tensor? context = null,
        int batchSize = 4096, long? seed = null)
    {
        const string owner = $"{nameof(ImportanceSampling)}.{nameof(Estimate)}";
        ArgumentNullException.ThrowIfNull(flow);
        ArgumentNullException.ThrowIfNull(logDensity);
        ArgumentOutOfRangeException.ThrowIfLessThan(samples, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        if (flow.IsStochastic) throw new ArgumentException(flow.Stochastic(owner), nameof(flow));
        flow.CheckContext(context, null, owner);
        if (context is not null && context.shape[0] != 1)
            throw new ArgumentException(
                $"{owner} expects one context, of shape (1, {flow.ContextSize}); got {EventShape.Format(context.shape)}. Call it once " +
                $"for each.", nameof(context));

        using var gradients = no_grad();
        using var random = PassState.Seed(seed);
        var sums = new WeightSums();
        for (long start = 0; start < samples; start += batchSize)
        {
            using var scope = NewDisposeScope();
            var (x, logProb) = flow.Draw(Math.Min(batchSize, samples - start), context, 1, seed: null, owner, Passes.One, check: false);
            foreach (var logWeight in LogWeights.Of(logDensity, x, logProb!, zeroAllowed: true, start, owner).FetchDoubles())
                sums.Add(logWeight);
        }
        return sums.Estimate();
    }

    /// <summary>
    /// Turns weighted samples into samples of equal weight by systematic resampling (Kitagawa 1996): sample i is taken ⌊c wᵢ⌋ or ⌈c wᵢ⌉
    /// times for normalized weights w and c = <paramref name="count"/>. Without gradients.
    /// </summary>
    /// <remarks>
    /// For samples of a posterior: <c>var (x, logProb) = flow.SampleAndLogProb(n)</c>, then
    /// <c>ImportanceSampling.Resample(x, logDensity(x).sub(logProb), count)</c>. Copies of one sample stand next to each other.
    /// </remarks>
    /// <param name="samples">(N, ...) with N of at least 1.</param>
    /// <param name="logWeights">(N): the logarithms of the weights, up to a constant; -∞ for a weight of 0, not all of them.</param>
    /// <param name="count">The number of samples to draw; 0 or more.</param>
    /// <param name="seed">Makes the result repeatable; null draws from torch's generator.</param>
    /// <returns>(count, ...), a new tensor that the caller disposes, in the order of the samples.</returns>
    /// <exception cref="ArgumentException">A shape does not fit, a weight is NaN or +∞, or all weights are 0.</exception>
    public static Tensor Resample(Tensor samples, Tensor logWeights, long count, long? seed = null)
    {
        const string owner = $"{nameof(ImportanceSampling)}.{nameof(Resample)}";
        Check.Batch(samples, nameof(samples), owner, null);
        Check.Tensor(logWeights, nameof(logWeights));
        Check.NotMeta(samples, nameof(samples));
        Check.NotMeta(logWeights, nameof(logWeights));
        MemoryCheck.Samples(1, count, samples.numel() / Math.Max(1, samples.shape[0]), samples.dtype, owner);
        if (logWeights.dim() != 1 || logWeights.shape[0] != samples.shape[0] || logWeights.shape[0] == 0)
            throw new ArgumentException(
                $"{owner} expects {nameof(logWeights)} of shape {EventShape.Format([samples.shape[0]])}, one number a sample and at " +
                $"least one; got {EventShape.Format(logWeights.shape)}.", nameof(logWeights));

        using var gradients = no_grad();
        using var scope = NewDisposeScope();
        var weights = Normalized(logWeights.FetchDoubles(), owner);
        using var random = PassState.Seed(seed);
        var offset = Noise.Uniform([1], ScalarType.Float64, CPU, PassState.Current?.Generator).Fetch<double>();
        var chosen = new long[count];
        var last = Array.FindLastIndex(weights, w => w > 0);
        var (at, reached) = (0, weights[0]);
        for (long k = 0; k < count; k++)
        {
            // rounding must not lead past the last sample that has a weight
            while (reached <= (k + offset) / count && at < last) reached += weights[++at];
            chosen[k] = at;
        }
        return scope.MoveToOuter(samples.index_select(0, tensor(chosen, device: samples.device)));
    }

    private static double[] Normalized(double[] logWeights, string owner)
    {
        var bad = Array.FindIndex(logWeights, w => double.IsNaN(w) || double.IsPositiveInfinity(w));
        if (bad >= 0)
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"{owner}: the log-weight of sample {bad} is {logWeights[bad]}. Leave such samples out."),
                nameof(logWeights));
        var most = logWeights.Max();
        if (double.IsNegativeInfinity(most))
            throw new ArgumentException($"{owner}: all weights are 0, so there is nothing to draw.", nameof(logWeights));
        var weights = Array.ConvertAll(logWeights, w => Math.Exp(w - most));
        var sum = weights.Sum();
        return Array.ConvertAll(weights, w => w / sum);
    }
}
