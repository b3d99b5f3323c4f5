namespace RealNvp;

/// <summary>What importance sampling tells about a density p̃ and a flow q. The weights are w = p̃(x)/q(x) of samples x of q.</summary>
/// <param name="Count">N, the number of samples.</param>
/// <param name="LogZ">
/// log Ẑ with Ẑ = Σ w/N, in nats: the estimate of log ∫p̃, the log evidence. Ẑ is unbiased; its logarithm is a little low on average.
/// -∞ if all weights are 0.
/// </param>
/// <param name="StandardError">
/// The standard error of <paramref name="LogZ"/> in nats, by the delta method: the standard deviation of w over √N times its mean. NaN for
/// one sample, or where all weights are 0. It says nothing about places that q never visits.
/// </param>
/// <param name="EffectiveSampleSize">Kish's (Σ w)²/Σ w², from 0 (all weights 0) or 1 to N: how many samples of p these are worth.</param>
/// <param name="LargestShare">The largest weight over the sum of all, from 1/N
/// to 1: near 1, a single sample decides. NaN if all weights are 0.</param>
/// <param name="LowerBound">The mean of log w in nats, the evidence lower
/// bound: log Z less KL(q‖p), on average. -∞ if a weight is 0.</param>
public sealed record ImportanceEstimate(long Count, double LogZ, double StandardError, double EffectiveSampleSize, double LargestShare,
    double LowerBound)
{
    /// <summary><see cref="EffectiveSampleSize"/> over <see cref="Count"/>, from 0 to 1; 1 if q = p.</summary>
    public double EffectiveShare => EffectiveSampleSize / Count;
}
