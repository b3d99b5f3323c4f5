namespace RealNvp;

/// <summary>What one epoch gave.</summary>
public sealed record EpochRecord
{
    /// <summary>The epoch, from 1.</summary>
    public required int Epoch { get; init; }

    /// <summary>The number of optimizer steps at its end.</summary>
    public required long Step { get; init; }

    /// <summary>The mean training loss: -log p(x) in nats.</summary>
    public required double Loss { get; init; }

    /// <summary>The same in bits per dimension.</summary>
    public required double BitsPerDim { get; init; }

    /// <summary>-log p(x) of the validation data in nats, in evaluation mode; null without validation.</summary>
    public required double? ValidationLoss { get; init; }

    /// <summary>The same in bits per dimension.</summary>
    public required double? ValidationBitsPerDim { get; init; }

    /// <summary>The number of validation examples whose log p(x) is minus infinity; null without validation, or in a record from a file of an older version.</summary>
    public long? ValidationInfiniteCount { get; init; }

    /// <summary>-log p(x) of the other validation examples in nats; null without validation, if there are none, or in a record from a file of an older version.</summary>
    public double? ValidationFiniteLoss { get; init; }

    /// <summary>The time that the epoch took.</summary>
    public required double Seconds { get; init; }

    /// <summary>True for the last record of a training that <see cref="TrainingOptions.MaxDuration"/> stopped in the middle of an epoch: it is about the part that was done.</summary>
    public bool IsPartial { get; init; }

    // a file of before holds no more than the loss
    private (long InfiniteCount, double FiniteLoss) Rank => ValidationInfiniteCount is { } count
        ? (count, ValidationFiniteLoss ?? double.NaN)
        : double.IsFinite(ValidationLoss ?? double.NaN) ? (0, ValidationLoss!.Value) : (long.MaxValue, double.NaN);

    /// <summary>Whether it validates better: fewer examples of minus infinity, and with as many, a lower loss of the others.</summary>
    internal bool IsBetterThan(EpochRecord other)
    {
        var (mine, theirs) = (Rank, other.Rank);
        return mine.InfiniteCount < theirs.InfiniteCount || (mine.InfiniteCount == theirs.InfiniteCount && mine.FiniteLoss < theirs.FiniteLoss);
    }
}
