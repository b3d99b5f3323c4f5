namespace RealNvp;

/// <summary>How well a flow describes a data set.</summary>
/// <param name="Count">The number of examples.</param>
/// <param name="MeanLogProb">The mean of log p(x) in nats.</param>
/// <param name="StandardError">The standard error of that mean in nats; NaN for one example.</param>
/// <param name="BitsPerDim">-log₂ p(x)/D, averaged.</param>
public sealed record Evaluation(long Count, double MeanLogProb, double StandardError, double BitsPerDim);
