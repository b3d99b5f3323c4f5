namespace RealNvp;

/// <summary>The batches of one process, of which others have more. Which rows of the batch of all they are is agreed upon in each
/// step.</summary>
internal sealed class ShardedBatches : TrainingData
{
    private readonly TrainingData own;
    private readonly Ranks ranks;
    private readonly Dictionary<int, long?> agreed = [];
    private bool hasLooked;

    public ShardedBatches(TrainingData own, Ranks ranks, long? count)
    {
        (this.own, this.ranks) = (own, ranks);
        Count = own is PartedBatches parted ? parted.CountOfAll : count;
    }

    public override long? Count { get; }

    /// <summary>Refuses batches that are not the same on all processes, of which each would take its rows, and finds processes that have
    /// the same ones, though each should have its own.</summary>
    /// <param name="first">The first batch of an epoch on this process; null if it has none.</param>
    /// <returns>A sentence for the user; null if there is nothing to say.</returns>
    /// <exception cref="InvalidOperationException">They are not the same, on any process.</exception>
    public string? Look(TrainingBatch? first)
    {
        if (own is not PartedBatches parted)
        {
            if (hasLooked) return null;
            hasLooked = true;
            return ranks.Copies(first is { Count: > 1 } ? first.Mark : null, "give the same batches");
        }
        ranks.Same(parted.MarkOfFirst ?? "none", "first batch", $"A loader whose batches are parted by {nameof(Shard)} gives the same " +
            $"ones on all processes: shuffle by the same seed; or, if each process reads data of its own, call {nameof(AsShard)}().");
        return null;
    }

    public override bool HasExamples => own.HasExamples;

    /// <summary>The most that any process has: all call it, with the same sizes in the same order.</summary>
    public override long? BatchesPerEpoch(int batchSize)
    {
        if (agreed.TryGetValue(batchSize, out var known)) return known;
        var each = ranks.Gather(own.BatchesPerEpoch(Size(batchSize)) ?? -1);
        return agreed[batchSize] = Array.TrueForAll(each, e => e >= 0) ? (long)each.Max() : null;
    }

    public override IEnumerable<TrainingBatch> Batches(int batchSize, long seed, long skip) => own.Batches(Size(batchSize), seed, skip);

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">This process has no batch.</exception>
    public override IEnumerable<TrainingBatch> InOrder()
    {
        var any = false;
        foreach (var batch in own.InOrder())
        {
            any = true;
            yield return batch;
        }
        if (!any && ranks.Size > 1)
            throw new ArgumentException(
                $"Process {ranks.Rank} of {ranks.Size} got no batch from its data loader, in the pass that fits layers to the data. Give " +
                $"each process at least one. Pass a sequence that can be enumerated again, for that pass and for each epoch; or fit the " +
                $"layers first: {nameof(Trainer)}.{nameof(Trainer.FitLayers)}.", "data");
    }

    internal override void CheckAlive(string parameter) => own.CheckAlive(parameter);

    // a loader is asked for the batch of all, of which it gives this process its rows
    private int Size(int batchSize) => own is PartedBatches ? batchSize
        : (int)Math.Max(1, ShardData.Start(batchSize, ranks.Rank + 1, ranks.Size) - ShardData.Start(batchSize, ranks.Rank, ranks.Size));
}
