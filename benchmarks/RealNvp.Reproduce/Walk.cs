using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Reproduce;

/// <summary>Epochs that are shorter than the data: each goes on behind the rows of the one before, so that a training is validated more
/// often than it sees all rows.</summary>
internal static class Walk
{
    /// <summary>Rows in epochs of some.</summary>
    /// <param name="rows">(N, ...), in an order without meaning.</param>
    /// <param name="perEpoch">The rows of an epoch, at least a batch.</param>
    /// <param name="batchSize">The rows of a batch.</param>
    /// <param name="step">The steps that the training has taken, which says where it stands, also one that goes on.</param>
    public static TrainingData Over(Tensor rows, long perEpoch, int batchSize, Func<long> step)
    {
        var batches = perEpoch / batchSize;
        return TrainingData.FromBatches(Batches(), batches);

        IEnumerable<Tensor> Batches()
        {
            var all = rows.shape[0] / batchSize;
            var first = step() / batches * batches;
            for (var b = first; b < first + batches; b++)
            {
                using var part = rows.narrow(0, b % all * batchSize, batchSize);
                yield return part.clone();
            }
        }
    }
}
