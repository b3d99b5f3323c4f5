namespace RealNvp;

/// <summary>How well a flow describes a data set.</summary>
/// <param name="Count">The number of examples.</param>
/// <param name="MeanLogProb">The mean of log p(x) in nats.</param>
/// <param name="StandardError">The standard error of that mean in nats; NaN for one example.</param>
/// <param name="BitsPerDim">-log₂ p(x)/D, averaged.</param>
/// <param name="IsBound">Whether these are bounds, as where the flow dequantizes, and not exact: see <see cref="Flow.IsBound"/>.</param>
public sealed record Evaluation(long Count, double MeanLogProb, double StandardError, double BitsPerDim, bool IsBound);
