namespace RealNvp;

/// <summary>What training gave.</summary>
public sealed record TrainingResult
{
    /// <summary>One record an epoch, those of resumed runs included. A cancelled epoch has none.</summary>
    public required IReadOnlyList<EpochRecord> History { get; init; }

    /// <summary>The number of optimizer steps.</summary>
    public required long Step { get; init; }

    /// <summary>The epoch that validated best; null without validation.</summary>
    public required int? BestEpoch { get; init; }

    /// <summary>Why training ended.</summary>
    public required StopReason Reason { get; init; }

    /// <summary>What you should know about this training, one sentence each, in the order in which it was found; empty if there is nothing.</summary>
    /// <remarks>While training runs, <see cref="TrainingProgress.Warnings"/> has those found so far.</remarks>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}
