using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>
/// Mean and variance of each channel, and their running averages m̃ₜ = (1 - wₜ) m̃ₜ₋₁ + wₜ m̂ₜ with wₜ = (1 - ρ)/(1 - ρᵗ). The weight makes
/// the average unbiased from the first batch on: w₁ = 1, so the initial values never count.
/// </summary>
internal static class RunningMoments
{
    /// <summary>The moments (C) over all dimensions but 1; the variance is the biased one.</summary>
    /// <param name="x">(N, C, ...).</param>
    /// <param name="weight">1 for elements that count and 0 for others, broadcasting to x; null if all count.</param>
    public static (Tensor Mean, Tensor Variance) Of(Tensor x, Tensor? weight)
    {
        if (RowShare.Exchanging is { } share)
            return share.Group!.Moments(x, share.Counts ? weight ?? ones(1, x.dtype, x.device) : zeros(1, x.dtype, x.device));
        var dims = Enumerable.Range(0, (int)x.dim()).Where(d => d != 1).Select(d => (long)d).ToArray();
        if (weight is null)
        {
            var (variance, average) = x.var_mean(dims, unbiased: false);
            return (average, variance);
        }
        var w = weight.expand(x.shape);
        var count = w.sum(dims).clamp_min(Scalars.One);
        var mean = x.mul(w).sum(dims).div(count);
        var centred = x.sub(PerChannel(mean, x.dim())).mul(w);
        // what the sum of large numbers has lost of the mean would count as spread
        var rest = centred.sum(dims).div(count);
        return (mean.add(rest, Scalars.One), centred.mul(centred).sum(dims).div(count).sub(rest.mul(rest)).clamp_min(Scalars.Zero));
    }

    /// <summary>
    /// Mixes the current moments into the running ones, in place, and returns the mixture, through which gradients flow to the
    /// current batch only. A channel with one element has no variance, so it changes the mean alone.
    /// </summary>
    public static (Tensor Mean, Tensor Variance) Update(
        (Tensor Mean, Tensor Variance) current, Tensor runningMean, Tensor runningVariance, Tensor batches, double decay, bool hasVariance)
    {
        Tensor w;
        using (no_grad())
        {
            batches.add_(Scalars.IntegerOne, Scalars.IntegerOne);
            // (1 - ρ)/(1 - ρᵗ) on the device, so that nothing waits for it
            w = batches.to(runningMean.dtype).mul(Scalars.Of(Math.Log(decay))).expm1().reciprocal().mul(Scalars.Of(decay - 1));
        }
        var mean = runningMean.detach().lerp(current.Mean, w);
        var variance = hasVariance ? runningVariance.detach().lerp(current.Variance, w) : runningVariance.clone();
        using (no_grad())
        {
            runningMean.copy_(mean);
            runningVariance.copy_(variance);
        }
        return (mean, variance);
    }

    /// <summary>A tensor (C) in the shape (C, 1, ...), which broadcasts to (N, C, ...).</summary>
    public static Tensor PerChannel(Tensor values, long dimensions) =>
        dimensions <= 2 ? values : values.reshape([values.shape[0], .. Enumerable.Repeat(1L, (int)dimensions - 2)]);
}
