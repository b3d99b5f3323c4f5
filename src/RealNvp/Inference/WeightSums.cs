namespace RealNvp;

/// <summary>Running sums of importance weights, all relative to the largest so far: nothing overflows, and memory is constant.</summary>
internal struct WeightSums()
{
    private double most = double.NegativeInfinity, sum, squares, logs;
    private long count;

    public void Add(double logWeight)
    {
        count++;
        logs += logWeight;
        if (double.IsNegativeInfinity(logWeight)) return;
        if (logWeight > most)
        {
            var scale = Math.Exp(most - logWeight);
            sum *= scale;
            squares *= scale * scale;
            most = logWeight;
        }
        var weight = Math.Exp(logWeight - most);
        sum += weight;
        squares += weight * weight;
    }

    public readonly ImportanceEstimate Estimate()
    {
        if (sum == 0)
            return new()
            {
                Count = count, LogZ = double.NegativeInfinity, StandardError = double.NaN, EffectiveSampleSize = 0,
                LargestShare = double.NaN, LowerBound = logs / count,
            };
        var effective = Math.Min(count, sum / squares * sum);
        // s²/(N w̄²), where s² = (Σw² - N w̄²)/(N - 1)
        var relativeVariance = count > 1 ? ((1 / effective) - (1.0 / count)) * count / (count - 1) : double.NaN;
        return new()
        {
            Count = count, LogZ = most + Math.Log(sum / count), StandardError = Math.Sqrt(relativeVariance),
            EffectiveSampleSize = effective, LargestShare = 1 / sum, LowerBound = logs / count,
        };
    }
}
