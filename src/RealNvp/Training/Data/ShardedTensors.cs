using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Examples in tensors, each of which one of several processes has. They are mixed and held out as one process
/// would that has all, so each batch is the same, and a process computes those of its rows that it has.</summary>
/// <remarks>An order of all examples is drawn by each process, 16 bytes an example of all while it is drawn; 16 bytes an own
/// example stay.</remarks>
internal sealed class ShardedTensors : TrainingData
{
    private readonly TensorData own;
    private readonly long total;
    // the numbers of own examples, and their places among all: int64
    private readonly Tensor local, places;

    private ShardedTensors(TensorData own, Tensor local, Tensor places, long total) =>
        (this.own, this.local, this.places, this.total) = (own, local, places, total);

    public static ShardedTensors Of(TensorData own, Ranks ranks)
    {
        var counts = ranks.Gather(own.Count!.Value);
        var first = (long)counts.Take(ranks.Rank).Sum();
        using var scope = NewDisposeScope();
        var local = Scalars.Range(own.Count!.Value, CPU);
        return new ShardedTensors(own, scope.Detach(local), scope.Detach(Scalars.Range(own.Count!.Value, CPU, first)), (long)counts.Sum());
    }

    public override long? Count => total;

    public override bool HasExamples => own.HasExamples;

    public override bool CanSplit => true;

    /// <summary>Whether examples do not count the same.</summary>
    public bool IsWeighted => own.IsWeighted;

    /// <summary>The number of examples that this process has.</summary>
    public long OwnCount => local.shape[0];

    internal override (Tensor X, Tensor? Context)? Whole => own.Whole;

    public override long? BatchesPerEpoch(int batchSize) => (total + batchSize - 1) / batchSize;

    internal override void CheckAlive(string parameter) => own.CheckAlive(parameter);

    public override IEnumerable<TrainingBatch> Batches(int batchSize, long seed, long skip)
    {
        if (OwnCount == 0) yield break;
        var (at, order) = Order(seed);
        using (order)
            for (var start = skip * batchSize; start < total; start += batchSize)
                yield return Take(at, order, start, Math.Min(batchSize, total - start));
    }

    public override IEnumerable<TrainingBatch> InOrder()
    {
        for (long start = 0; start < OwnCount; start += RowsInOrder)
            yield return TakeRows(start, Math.Min(RowsInOrder, OwnCount - start));
    }

    private const int RowsInOrder = 1024;

    /// <summary>The own examples in the order of all, and their places there, ascending. The caller disposes the batch.</summary>
    public (TrainingBatch Batch, long[] Places) All()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (sorted, order) = places.sort();
        return (own.Take(local.index_select(0, order)), sorted.FetchInt64s());
    }

    public override (TrainingData Train, TrainingData? Validation) Split(double fraction, long seed)
    {
        var held = TensorData.HeldOut(total, fraction);
        if (held == 0) return (this, null);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var at = PlacesIn(seed);
        ShardedTensors Part(Tensor chosen, long first, long count) => new(own, scope.Detach(local.masked_select(chosen)),
            scope.Detach(at.masked_select(chosen).sub(Scalars.Integer(first))), count);
        var train = at.lt(Scalars.Integer(total - held));
        return (Part(train, 0, total - held), Part(train.logical_not(), total - held, held));
    }

    public override void ReleaseSplit()
    {
        local.Dispose();
        places.Dispose();
    }

    // where the own examples are in an order of all that a seed draws: what place p of the order holds is known by shuffled[p]
    private Tensor PlacesIn(long seed)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var shuffled = TensorData.Permutation(total, seed);
        var where = empty_like(shuffled).scatter_(0, shuffled, Scalars.Range(total, CPU));
        return scope.MoveToOuter(where.index_select(0, places));
    }

    private (long[] At, Tensor Order) Order(long seed)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (sorted, order) = PlacesIn(seed).sort();
        return (sorted.FetchInt64s(), scope.Detach(local.index_select(0, order)));
    }

    private TrainingBatch Take(long[] at, Tensor order, long start, long count)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (first, rows, share) = RowShare.Within(at, start, count);
        scope.Detach(share.Places);
        return own.Take(order.narrow(0, first, rows), share);
    }

    private TrainingBatch TakeRows(long start, long count)
    {
        using var scope = NewDisposeScope();
        return own.Take(local.narrow(0, start, count));
    }
}
