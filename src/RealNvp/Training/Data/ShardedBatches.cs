namespace RealNvp;

/// <summary>The batches of one process, of which others have more. Which rows of the batch of all they are is agreed upon in each
/// step.</summary>
internal sealed class ShardedBatches : TrainingData
{
    private readonly TrainingData own;
    private readonly Ranks ranks;
    private readonly Dictionary<int, long?> agreed = [];

    public ShardedBatches(TrainingData own, Ranks ranks, long? count)
    {
        (this.own, this.ranks) = (own, ranks);
        Count = own is PartedBatches parted ? parted.CountOfAll : count;
    }

    public override long? Count { get; }

    public override bool HasExamples => own.HasExamples;

    /// <summary>The most that any process has: all call it, with the same sizes in the same order.</summary>
    public override long? BatchesPerEpoch(int batchSize)
    {
        if (agreed.TryGetValue(batchSize, out var known)) return known;
        var each = ranks.Gather(own.BatchesPerEpoch(Size(batchSize)) ?? -1);
        return agreed[batchSize] = Array.TrueForAll(each, e => e >= 0) ? (long)each.Max() : null;
    }

    public override IEnumerable<TrainingBatch> Batches(int batchSize, long seed, long skip) => own.Batches(Size(batchSize), seed, skip);

    public override IEnumerable<TrainingBatch> InOrder() => own.InOrder();

    internal override void CheckAlive(string parameter) => own.CheckAlive(parameter);

    // a loader is asked for the batch of all, of which it gives this process its rows
    private int Size(int batchSize) => own is PartedBatches ? batchSize
        : (int)Math.Max(1, ShardData.Start(batchSize, ranks.Rank + 1, ranks.Size) - ShardData.Start(batchSize, ranks.Rank, ranks.Size));
}
