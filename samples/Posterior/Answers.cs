namespace RealNvp.Samples.Posterior;

/// <summary>What one wants to know of a posterior.</summary>
/// <param name="LogEvidence">log p(data), in nats.</param>
/// <param name="Means">The posterior mean of each parameter.</param>
/// <param name="Deviations">The posterior standard deviation of each parameter.</param>
public sealed record Answers(double LogEvidence, IReadOnlyList<double> Means, IReadOnlyList<double> Deviations);
