using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Reproduce;

/// <summary>Epochs that are shorter than the data: each goes on behind the rows of the one before, so that a training is validated more
/// often than it sees all rows.</summary>
internal static class Walk
{
    /// <summary>Rows in epochs of some.</summary>
    /// <param name="splits">The rows to train on, in an order without meaning: drawn anew in each step if they can be.</param>
    /// <param name="perEpoch">The rows of an epoch, at least a batch.</param>
    /// <param name="batchSize">The rows of a batch.</param>
    /// <param name="step">The steps that the training has taken, which says where it stands, also one that goes on.</param>
    public static TrainingData Over(Splits splits, long perEpoch, int batchSize, Func<long> step)
    {
        var batches = perEpoch / batchSize;
        return TrainingData.FromBatches(Batches(), batches);

        IEnumerable<Tensor> Batches()
        {
            var all = splits.Train.shape[0] / batchSize;
            var first = step() / batches * batches;
            for (var b = first; b < first + batches; b++)
                if (splits.Draw is { } draw) yield return draw(checked((int)(FirstSeed + b)), batchSize);
                else
                {
                    using var part = splits.Train.narrow(0, b % all * batchSize, batchSize);
                    yield return part.clone();
                }
        }
    }

    // above the seeds of the fixed rows
    private const long FirstSeed = 1000;
}
