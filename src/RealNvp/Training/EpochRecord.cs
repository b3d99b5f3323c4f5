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

    /// <summary>The time that the epoch took.</summary>
    public required double Seconds { get; init; }

    /// <summary>True for the last record of a training that <see cref="TrainingOptions.MaxDuration"/> stopped in the middle of an epoch: it is about the part that was done.</summary>
    public bool IsPartial { get; init; }
}
