namespace RealNvp.Tables;

/// <summary>A row with missing cells, filled in in several ways.</summary>
/// <param name="Row">The row.</param>
/// <param name="Codes">One way after the other, C codes each.</param>
/// <param name="LogWeights">Of each way, up to a constant.</param>
internal sealed record RowCompletion(int Row, double[] Codes, double[] LogWeights)
{
    /// <summary>log p of the known codes.</summary>
    public required double LogProb { get; init; }

    public required double StandardError { get; init; }

    public required double EffectiveSampleSize { get; init; }

    public required bool IsExact { get; init; }

    /// <summary>Whether its ways are independent draws of p(missing | known).</summary>
    public bool AreDraws { get; init; }

    /// <summary>The weights, which sum to 1.</summary>
    public double[] Weights()
    {
        var most = LogWeights.Max();
        var weights = Array.ConvertAll(LogWeights, w => double.IsNegativeInfinity(most) ? 1 : Math.Exp(w - most));
        var sum = weights.Sum();
        return Array.ConvertAll(weights, w => w / sum);
    }
}
