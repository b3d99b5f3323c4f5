namespace RealNvp;

/// <summary>Where training stands; reported after every batch, on a GPU for several batches together.</summary>
/// <param name="Epoch">The current epoch, from 1.</param>
/// <param name="Epochs">The number of epochs that were asked for.</param>
/// <param name="Batch">The batch of the epoch, from 1.</param>
/// <param name="Batches">The number of batches of an epoch; 0 where a data loader does not tell.</param>
/// <param name="Step">The number of optimizer steps so far.</param>
/// <param name="Loss">The mean loss of this epoch so far: -log p(x) in nats.</param>
/// <param name="BitsPerDim">The same in bits per dimension.</param>
/// <param name="ValidationBitsPerDim">The validation result of the last finished epoch, or null.</param>
/// <param name="LearningRate">The learning rate of this step.</param>
/// <param name="GradientNorm">The total norm of the gradients before they were limited.</param>
/// <param name="ExamplesPerSecond">The speed of training, averaged over this epoch.</param>
/// <param name="TimeLeft">An estimate of the time to the last epoch; null while there is none.</param>
/// <param name="ReversibleDrift">How exactly this step's inputs were rebuilt (<see cref="Flow.ReversibleDrift"/>); null in ordinary training.</param>
public sealed record TrainingProgress(
    int Epoch,
    int Epochs,
    long Batch,
    long Batches,
    long Step,
    double Loss,
    double BitsPerDim,
    double? ValidationBitsPerDim,
    double LearningRate,
    double GradientNorm,
    double ExamplesPerSecond,
    TimeSpan? TimeLeft,
    double? ReversibleDrift = null)
{
    /// <summary>What the user should know about the data and the flow, in words, so far; empty where there is nothing.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}
