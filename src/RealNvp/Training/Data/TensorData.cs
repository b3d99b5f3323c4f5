using System.Globalization;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Examples, contexts and weights in tensors, or some rows of them.</summary>
internal sealed class TensorData : TrainingData
{
    private readonly Tensor? x, context, weights, rows;

    private TensorData(Tensor? x, Tensor? context, Tensor? weights, Tensor? rows) =>
        (this.x, this.context, this.weights, this.rows) = (x, context, weights, rows);

    public static TensorData Weighted(Tensor x, Tensor? context, Tensor? weights)
    {
        Check.Tensor(x, nameof(x));
        Check.NotMeta(x, nameof(x));
        if (x.dim() == 0 || x.shape[0] == 0)
            throw new ArgumentException($"Training needs at least one example; got a tensor of shape {EventShape.Format(x.shape)}.",
                nameof(x));
        if (context is not null)
        {
            Check.Tensor(context, nameof(context));
            if (context.dim() == 0 || context.shape[0] != x.shape[0])
                throw new ArgumentException(
                    $"Expected a context of shape ({x.shape[0]}, C), or ({x.shape[0]}, ...) for a flow with an encoder, one row an " +
                    $"example; got {EventShape.Format(context.shape)}.", nameof(context));
        }
        if (weights is null) return new TensorData(x, context, null, null);
        Check.Tensor(weights, nameof(weights));
        Check.NotMeta(weights, nameof(weights));
        if (weights.dim() != 1 || weights.shape[0] != x.shape[0])
            throw new ArgumentException(
                $"Expected weights of shape ({x.shape[0]}), one for each example; got {EventShape.Format(weights.shape)}.",
                nameof(weights));
        using var counting = ExampleWeights.Positive(weights, $"{nameof(TrainingData)}.{nameof(From)}");
        if (counting is null) return new TensorData(x, context, weights, null);
        using var _ = no_grad();
        // a copy, which the garbage collector frees: what does not count may hold anything
        Tensor Some(Tensor all) => all.index_select(0, counting.to(all.device)).DetachFromDisposeScope();
        return new TensorData(Some(x), context is null ? null : Some(context), Some(weights), null);
    }

    public static TensorData OfContexts(Tensor context)
    {
        Check.Tensor(context, nameof(context));
        Check.NotMeta(context, nameof(context));
        if (context.dim() == 0 || context.shape[0] == 0)
            throw new ArgumentException($"Training needs at least one context; got a tensor of shape {EventShape.Format(context.shape)}.",
                nameof(context));
        return new TensorData(null, context, null, null);
    }

    public override long? Count => (rows ?? First).shape[0];

    public override bool HasExamples => x is not null;

    public override bool CanSplit => true;

    public override long? BatchesPerEpoch(int batchSize) => (Count + batchSize - 1) / batchSize;

    internal override (Tensor X, Tensor? Context)? Whole => x is null ? null : (x, context);

    internal override string? Mark => RowDigest.OfSome([.. new[] { x, context, weights }.OfType<Tensor>()], rows);

    private Tensor First => (x ?? context)!;

    public override IEnumerable<TrainingBatch> Batches(int batchSize, long seed, long skip)
    {
        var count = Count!.Value;
        // the caller's tensors may require gradients; training has none for them
        using var all = new Shuffled(this, seed);
        for (var start = skip * batchSize; start < count; start += batchSize)
            yield return all.Gather(start, Math.Min(batchSize, count - start));
    }

    internal override TrainingData PartOf(int rank, int size)
    {
        var count = Count!.Value;
        if (count < size)
            throw new ArgumentException($"There are {count} examples for {size} processes. Give each at least one, or use fewer processes.",
                nameof(size));
        var start = ShardData.Start(count, rank, size);
        // copied: what these data hold otherwise may be freed
        Tensor? Own(Tensor? all)
        {
            using var part = Rows(all, start, ShardData.Start(count, rank + 1, size) - start);
            return part?.clone().DetachFromDisposeScope();
        }
        return new TensorData(Own(x), Own(context), Own(weights), null);
    }

    internal override void CheckAlive(string parameter)
    {
        foreach (var tensor in new[] { x, context, weights })
            if (tensor is not null) Check.Tensor(tensor, parameter);
    }

    public override IEnumerable<TrainingBatch> InOrder()
    {
        var (count, size) = (Count!.Value, Batch.Size(First.numel() / First.shape[0]));
        for (long start = 0; start < count; start += size)
        {
            var length = Math.Min(size, count - start);
            yield return new TrainingBatch(Rows(x, start, length), Rows(context, start, length), Rows(weights, start, length));
        }
    }

    private Tensor? Rows(Tensor? tensor, long start, long size)
    {
        if (tensor is null) return null;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return scope.Detach(rows is null ? tensor.narrow(0, start, size).detach()
            : tensor.index_select(0, rows.narrow(0, start, size).to(tensor.device)));
    }

    /// <summary>All examples in their order, as two tensors that the caller disposes; weights are left out.</summary>
    public (Tensor X, Tensor? Context) All()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor? Some(Tensor? tensor) =>
            tensor is null ? null : scope.Detach(rows is null ? tensor.detach() : tensor.index_select(0, rows.to(tensor.device)));
        return (Some(x)!, Some(context));
    }

    /// <summary>Some of the examples, by their numbers: int64 on the CPU. The caller disposes the batch.</summary>
    public TrainingBatch Take(Tensor index, RowShare? share = null)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var chosen = rows is null ? index : rows.index_select(0, index);
        Tensor? Some(Tensor? all) => all is null ? null : scope.Detach(all.detach().index_select(0, chosen.to(all.device)));
        return new TrainingBatch(Some(x), Some(context), Some(weights)) { WeightsAreChecked = true, Share = share };
    }

    /// <summary>Whether examples do not count the same.</summary>
    public bool IsWeighted => weights is not null;

    public override (TrainingData Train, TrainingData? Validation) Split(double fraction, long seed)
    {
        var held = HeldOut(Count!.Value, fraction);
        if (held == 0) return (this, null);
        using var scope = NewDisposeScope();
        using var shuffled = Permutation(Count.Value, seed);
        var order = rows is null ? shuffled : rows.index_select(0, shuffled);
        TensorData Part(long start, long size) => new(x, context, weights, scope.Detach(order.narrow(0, start, size).clone()));
        return (Part(0, Count.Value - held), Part(Count.Value - held, held));
    }

    /// <summary>How many of some examples a fraction holds out; throws if that is all of them.</summary>
    internal static long HeldOut(long count, double fraction)
    {
        var held = (long)Math.Round(count * fraction);
        if (held > 0 && held == count)
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"A validation fraction of {fraction} leaves none of the {count} examples to train on."), nameof(fraction));
        return held;
    }

    public override void ReleaseSplit() => rows?.Dispose();

    internal static Tensor Permutation(long count, long seed)
    {
        using var generator = RandomSource.New(seed);
        return Noise.Permutation(count, generator).DetachFromDisposeScope();
    }

    /// <summary>The examples of an epoch, each tensor with its order where it lies: an index
    /// that is sent to a device for each batch would wait for the device each time.</summary>
    private sealed class Shuffled : IDisposable
    {
        private readonly (Tensor All, Tensor Order)? x, context, weights;

        public Shuffled(TensorData data, long seed)
        {
            using var scope = NewDisposeScope();
            using var shuffled = Permutation(data.Count!.Value, seed);
            var order = data.rows is null ? shuffled : data.rows.index_select(0, shuffled);
            (Tensor, Tensor)? With(Tensor? all) =>
                all is null ? null : (scope.Detach(all.detach()), scope.Detach(order.to(all.device, copy: true)));
            (x, context, weights) = (With(data.x), With(data.context), With(data.weights));
        }

        public TrainingBatch Gather(long start, long size)
        {
            // no scope may stay open over a yield: it would catch the tensors of the caller
            using var scope = NewDisposeScope();
            Tensor? Some((Tensor All, Tensor Order)? of) =>
                of is not { } o ? null : scope.Detach(o.All.index_select(0, o.Order.narrow(0, start, size)));
            return new TrainingBatch(Some(x), Some(context), Some(weights)) { WeightsAreChecked = true };
        }

        public void Dispose()
        {
            foreach (var of in new[] { x, context, weights })
            {
                of?.All.Dispose();
                of?.Order.Dispose();
            }
        }
    }
}
