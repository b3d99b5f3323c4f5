using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Data of which other processes have more. A trainer asks them what, and trains on <see cref="ShardedTensors"/> or
/// <see cref="ShardedBatches"/>.</summary>
/// <param name="own">What this process has.</param>
internal sealed class ShardData(TrainingData own) : TrainingData
{
    public TrainingData Own => own;

    public override long? Count => own.Count;

    public override bool HasExamples => own.HasExamples;

    /// <summary>The first of the rows of a process, of some rows.</summary>
    public static long Start(long count, int rank, int size) => (long)((Int128)count * rank / size);

    public override long? BatchesPerEpoch(int batchSize) => own.BatchesPerEpoch(batchSize);

    public override IEnumerable<TrainingBatch> Batches(int batchSize, long seed, long skip) => own.Batches(batchSize, seed, skip);

    public override IEnumerable<TrainingBatch> InOrder() => own.InOrder();

    internal override TrainingData PartOf(int rank, int size) => own.PartOf(rank, size);

    internal override void CheckAlive(string parameter) => own.CheckAlive(parameter);

    internal override (Tensor X, Tensor? Context)? Whole => own.Whole;

    /// <summary>The data of all processes, as this one sees them.</summary>
    public TrainingData Over(Ranks ranks)
    {
        if (own is TensorData tensors) return ShardedTensors.Of(tensors, ranks);
        var counts = ranks.Gather(own.Count ?? -1);
        return new ShardedBatches(own, ranks, Array.TrueForAll(counts, c => c >= 0) ? (long)counts.Sum() : null);
    }
}
