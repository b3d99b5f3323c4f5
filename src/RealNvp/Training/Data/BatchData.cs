using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Batches that come ready made.</summary>
/// <param name="batches">The batches.</param>
/// <param name="batchesPerEpoch">How many there are, if known.</param>
/// <param name="held">Whether the sequence holds its batches, as a list does, so that a pass before training must leave them alive.</param>
internal sealed class BatchData(IEnumerable<(Tensor X, Tensor? Context, Tensor? Weights)> batches, long? batchesPerEpoch, bool held)
    : TrainingData
{
    public override long? Count => null;

    public override long? BatchesPerEpoch(int batchSize) => batchesPerEpoch;

    public override IEnumerable<TrainingBatch> Batches(int batchSize, long seed, long skip)
    {
        var index = 0L;
        foreach (var batch in batches)
        {
            CheckAlive(batch);
            if (index++ >= skip)
            {
                yield return new TrainingBatch(Owned(batch.X), Owned(batch.Context), Owned(batch.Weights));
                continue;
            }
            batch.X.Dispose();
            batch.Context?.Dispose();
            batch.Weights?.Dispose();
        }
    }

    public override IEnumerable<TrainingBatch> InOrder()
    {
        foreach (var batch in batches)
        {
            CheckAlive(batch);
            yield return held ? new TrainingBatch(batch.X, batch.Context, batch.Weights).Alias()
                : new TrainingBatch(batch.X, batch.Context, batch.Weights);
        }
    }

    // a batch is ours to dispose; one that requires gradients, or was made in inference mode, is taken without
    [return: System.Diagnostics.CodeAnalysis.NotNullIfNotNull(nameof(batch))]
    private static Tensor? Owned(Tensor? batch)
    {
        if (batch is null || (!batch.requires_grad && !GradientMode.IsInference(batch))) return batch;
        // the loader may have left this thread in inference mode
        using var mode = GradientMode.Enter();
        using (batch) return batch.detach().clone().DetachFromDisposeScope();
    }

    private static void CheckAlive((Tensor X, Tensor? Context, Tensor? Weights) batch)
    {
        if (batch.X is null || batch.X.IsInvalid || batch.Context is { IsInvalid: true } || batch.Weights is { IsInvalid: true })
            throw new ArgumentException(
                "The data loader gave a batch that has been disposed. Each batch is disposed after its use, so make a new one for each " +
                "epoch and for the pass that fits layers to the data, such as tensor.clone(); or fit the layers with a tensor first: " +
                "Trainer.FitLayers.");
    }
}
