using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Data of which other processes have more. A trainer asks them what, and trains on <see cref="ShardedTensors"/> or
/// <see cref="ShardedBatches"/>.</summary>
/// <param name="own">What this process has.</param>
/// <param name="parted">Whether all processes have the same data, of which these are a part.</param>
/// <param name="mark">What tells those data from others; null if nothing does, or if there are none.</param>
internal sealed class ShardData(TrainingData own, bool parted, string? mark) : TrainingData
{
    public TrainingData Own => own;

    /// <summary>Whether all processes have the same data, of which these are a part.</summary>
    public bool IsParted => parted;

    /// <summary>What tells those data from others; null if nothing does.</summary>
    public string? MarkOfAll => mark;

    /// <summary>What kind of data, in words: all processes must have the same.</summary>
    public string Kind => own is TensorData tensors
        ? $"tensors{(parted ? " that all have" : "")}, with weights: {tensors.IsWeighted}, with contexts: " +
            $"{tensors.Whole?.Context is not null}"
        : parted ? "batches that all read" : "own batches";

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
