namespace RealNvp;

/// <summary>What many numbers are like. All but <see cref="NotFinite"/> is of those that are finite; NaN if none is.</summary>
/// <param name="Count">How many numbers are finite.</param>
/// <param name="NotFinite">How many are NaN or infinite.</param>
/// <param name="Mean">The mean.</param>
/// <param name="StandardDeviation">The standard deviation, dividing by the number of numbers.</param>
/// <param name="Smallest">The smallest.</param>
/// <param name="Largest">The largest.</param>
public sealed record NumberSummary(long Count, long NotFinite, double Mean, double StandardDeviation, double Smallest, double Largest);
