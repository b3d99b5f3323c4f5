namespace RealNvp;

/// <summary>What training gave.</summary>
/// <param name="History">One record an epoch, those of resumed runs included. A cancelled epoch has none.</param>
/// <param name="Step">The number of optimizer steps.</param>
/// <param name="BestEpoch">The epoch that validated best; null without validation.</param>
/// <param name="Reason">Why training ended.</param>
public sealed record TrainingResult(IReadOnlyList<EpochRecord> History, long Step, int? BestEpoch, StopReason Reason)
{
    /// <summary>What the user should know about the data and the flow, in words; empty where there is nothing. <see cref="TrainingProgress.Warnings"/> has them while it trains.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}
