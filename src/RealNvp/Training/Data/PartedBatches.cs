using TorchSharp;
using static TorchSharp.torch;
using RealNvp.Internal;

namespace RealNvp;

/// <summary>The rows of each batch that are those of one process. It reads all batches.</summary>
/// <param name="all">The batches.</param>
/// <param name="rank">The number of the process.</param>
/// <param name="size">The number of processes.</param>
internal sealed class PartedBatches(TrainingData all, int rank, int size) : TrainingData
{
    public override long? Count => null;

    public override bool HasExamples => all.HasExamples;

    /// <summary>The number of examples of all processes, if known.</summary>
    public long? CountOfAll => all.Count;

    public override long? BatchesPerEpoch(int batchSize) => all.BatchesPerEpoch(batchSize);

    /// <summary>What tells the first whole batch that was given last time from others, which all processes must have the same; null if
    /// there was none.</summary>
    public string? MarkOfFirst { get; private set; }

    public override IEnumerable<TrainingBatch> Batches(int batchSize, long seed, long skip)
    {
        MarkOfFirst = null;
        foreach (var batch in all.Batches(batchSize, seed, skip))
        {
            MarkOfFirst ??= batch.Mark;
            yield return Part(batch);
        }
    }

    /// <summary>The rows of this process; batches in which it has none are left out.</summary>
    /// <exception cref="ArgumentException">No batch has a row for each process, so some could fit no layer. A process that reads all
    /// batches finds it at their end; one that had enough with its first rows hears of it from the others.</exception>
    public override IEnumerable<TrainingBatch> InOrder()
    {
        var (count, most) = (0L, 0L);
        foreach (var batch in all.InOrder())
        {
            (count, most) = (count + 1, Math.Max(most, batch.Count));
            var part = Part(batch);
            if (HasRows(part)) yield return part;
        }
        if (count > 0 && most < size)
            throw new ArgumentException(
                $"The data loader gives too few rows at a time: each process takes its rows of each batch, and some would have none to " +
                $"fit layers to. Batches: {count}, of at most {most} rows; processes: {size}. Give batches of at least {size} rows, use " +
                $"fewer processes, or fit the layers first, on all processes to the same examples: " +
                $"{nameof(Trainer)}.{nameof(Trainer.FitLayers)}.", "data");
    }

    internal override void CheckAlive(string parameter) => all.CheckAlive(parameter);

    private static bool HasRows(TrainingBatch batch)
    {
        if (batch.Share is not { Counts: false }) return true;
        batch.Dispose();
        return false;
    }

    // a batch with fewer rows than processes leaves none to some; they get a row that does not count
    private TrainingBatch Part(TrainingBatch batch)
    {
        using (batch)
        {
            using var scope = NewDisposeScope();
            using var _ = no_grad();
            var (start, end) = (ShardData.Start(batch.Count, rank, size), ShardData.Start(batch.Count, rank + 1, size));
            var counts = end > start;
            var share = counts ? null : new RowShare(scope.Detach(zeros(1, ScalarType.Int64, CPU)), 1, Counts: false);
            return batch.Map(all => all.narrow(0, counts ? start : 0, counts ? end - start : 1).clone(), share);
        }
    }
}
