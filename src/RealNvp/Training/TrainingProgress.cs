using System.Globalization;

namespace RealNvp;

/// <summary>Where training stands; reported after every batch, on a GPU for several batches together.</summary>
public sealed record TrainingProgress
{
    /// <summary>The current epoch, from 1.</summary>
    public required int Epoch { get; init; }

    /// <summary>The number of epochs that were asked for.</summary>
    public required int Epochs { get; init; }

    /// <summary>The batch of the epoch, from 1.</summary>
    public required long Batch { get; init; }

    /// <summary>The number of batches of an epoch; 0 if a data loader does not tell.</summary>
    public required long Batches { get; init; }

    /// <summary>The number of optimizer steps so far.</summary>
    public required long Step { get; init; }

    /// <summary>The mean loss of this epoch so far by the objective: -log p(x)
    /// in nats with <see cref="Objective.MaximumLikelihood"/>.</summary>
    public required double Loss { get; init; }

    /// <summary>The same in bits per dimension; null if the loss is none of a likelihood.</summary>
    public required double? BitsPerDim { get; init; }

    /// <summary>The validation loss of the last finished epoch, or null.</summary>
    public double? ValidationLoss { get; init; }

    /// <summary>The same in bits per dimension; null too if the loss is none of a likelihood.</summary>
    public required double? ValidationBitsPerDim { get; init; }

    /// <summary>The learning rate of this step.</summary>
    public required double LearningRate { get; init; }

    /// <summary>The total norm of the gradients before they were limited.</summary>
    public required double GradientNorm { get; init; }

    /// <summary>The speed of training, averaged over this epoch.</summary>
    public required double ExamplesPerSecond { get; init; }

    /// <summary>An estimate of the time to the last epoch, or to the end of
    /// <see cref="TrainingOptions.MaxDuration"/>; null while there is none. Training may stop early.</summary>
    public required TimeSpan? TimeLeft { get; init; }

    /// <summary>How exactly this step's inputs were rebuilt (<see cref="Flow.ReversibleDrift"/>); null in ordinary training.</summary>
    public double? ReversibleDrift { get; init; }

    /// <summary>What this training is validated on, or why it is not.</summary>
    public ValidationSource Validation { get; init; }

    /// <summary>The number of examples that were held out of the data for validation; 0 if none.</summary>
    public long HeldOut { get; init; }

    /// <summary>How many epochs in a row, up to the last finished one, did not improve validation.</summary>
    public int EpochsWithoutGain { get; init; }

    /// <summary>At how many <see cref="EpochsWithoutGain"/> training stops; null if it does not, as without validation.</summary>
    public int? Patience { get; init; }

    /// <summary>What you should know about this training, all that was found so
    /// far, in that order: <see cref="TrainingResult.Warnings"/>.</summary>
    public IReadOnlyList<string> Warnings { get; init => field = Internal.Listed<string>.Of(value)!; } = [];

    /// <summary>Where the training is, in words for a log, in the invariant culture, and the warnings, one a line.</summary>
    public override string ToString()
    {
        var validation = ValidationLoss is { } loss ? string.Create(CultureInfo.InvariantCulture, $", validation {loss:G6}") : "";
        var left = TimeLeft is { } time ? string.Create(CultureInfo.InvariantCulture, $", {time.TotalSeconds:N0} s left") : "";
        var batches = Batches > 0 ? string.Create(CultureInfo.InvariantCulture, $" of {Batches}") : "";
        var numbers = string.Create(CultureInfo.InvariantCulture,
            $"Epoch {Epoch} of {Epochs}, batch {Batch}{batches}: loss {Loss:G6}{validation}, {ExamplesPerSecond:N0} examples/s{left}.");
        return string.Join('\n', [numbers, .. Warnings]);
    }
}
