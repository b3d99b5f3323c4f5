namespace RealNvp;

/// <summary>What one epoch gave.</summary>
public sealed record EpochRecord
{
    /// <summary>The epoch, from 1.</summary>
    public required int Epoch { get; init; }

    /// <summary>The number of optimizer steps at its end.</summary>
    public required long Step { get; init; }

    /// <summary>The mean training loss by the objective, weighted if the data have weights:
    /// -log p(x) in nats with <see cref="Objective.MaximumLikelihood"/>.</summary>
    public required double Loss { get; init; }

    /// <summary>The same in bits per dimension; null if the loss is none of a likelihood.</summary>
    public required double? BitsPerDim { get; init; }

    /// <summary>The loss of the validation data by the objective, in evaluation mode: -log p(x) in
    /// nats with <see cref="Objective.MaximumLikelihood"/>; null without validation.</summary>
    public required double? ValidationLoss { get; init; }

    /// <summary>The same in bits per dimension; null without validation, or if the loss is none of a likelihood.</summary>
    public required double? ValidationBitsPerDim { get; init; }

    /// <summary>The number of validation examples whose loss is infinite, as their log p(x) is minus infinity; null without
    /// validation, if examples have no losses of their own, or in a record from a file of an older version.</summary>
    public long? ValidationInfiniteCount { get; init; }

    /// <summary>The loss of the other validation examples; null without validation,
    /// if there are none, or in a record from a file of an older version.</summary>
    public double? ValidationFiniteLoss { get; init; }

    /// <summary>The time that the epoch took.</summary>
    public required double Seconds { get; init; }

    /// <summary>True for the last record of a training that <see cref="TrainingOptions.MaxDuration"/>
    /// stopped in the middle of an epoch: it is about the part that was done.</summary>
    public bool IsPartial { get; init; }

    // a file of before holds no more than the loss
    private (long InfiniteCount, double FiniteLoss) Rank => ValidationInfiniteCount is { } count
        ? (count, ValidationFiniteLoss ?? double.NaN)
        : double.IsFinite(ValidationLoss ?? double.NaN) ? (0, ValidationLoss!.Value) : (long.MaxValue, double.NaN);

    /// <summary>Whether it validates better: fewer examples of minus infinity, and with as many, a lower loss of the others.</summary>
    internal bool IsBetterThan(EpochRecord other)
    {
        var (mine, theirs) = (Rank, other.Rank);
        return mine.InfiniteCount < theirs.InfiniteCount
            || (mine.InfiniteCount == theirs.InfiniteCount && mine.FiniteLoss < theirs.FiniteLoss);
    }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(EpochRecord), PrintMembers);
}
