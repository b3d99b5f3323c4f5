using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Examples to train on, with contexts where the flow is conditional: a tensor, an array, or batches from a data loader.</summary>
/// <remarks>Tensors stay the caller's: they must live as long as the training, and are never changed.</remarks>
public abstract class TrainingData
{
    private protected TrainingData() { }

    /// <summary>The number of examples; null where a data loader does not tell.</summary>
    public abstract long? Count { get; }

    /// <summary>Examples in one tensor, shuffled anew in each epoch.</summary>
    /// <param name="x">(N, ...) with N of at least 1, on any device; integers for a flow that dequantizes.</param>
    /// <param name="context">(N, C), or (N, ...) for a flow with a <see cref="ContextEncoder"/>, such as labels (N); or null.</param>
    public static TrainingData From(Tensor x, Tensor? context = null) => new TensorData(x, context);

    /// <summary>Rows of an array: (N, D) examples of D features. The array is copied; the garbage collector frees the copy.</summary>
    /// <param name="rows">N rows of D values.</param>
    /// <param name="context">N rows of C values, or null.</param>
    public static TrainingData From(float[,] rows, float[,]? context = null)
    {
        ArgumentNullException.ThrowIfNull(rows);
        return new TensorData(Copy(rows), context is null ? null : Copy(context));
    }

    /// <summary>Batches that come ready made, in the order in which they come; enumerated once an epoch.</summary>
    /// <param name="batches">Batches of shape (N, ...), for example a TorchSharp data loader. Each is disposed after its step.</param>
    /// <param name="batchesPerEpoch">How many there are in an epoch, where known: schedules and estimates of time need it.</param>
    public static TrainingData FromBatches(IEnumerable<Tensor> batches, long? batchesPerEpoch = null)
    {
        ArgumentNullException.ThrowIfNull(batches);
        return new BatchData(batches.Select(x => (x, (Tensor?)null)), batchesPerEpoch, batches is IReadOnlyCollection<Tensor>);
    }

    /// <summary>Batches with contexts that come ready made; enumerated once an epoch.</summary>
    /// <param name="batches">Pairs of (N, ...) and (N, C). Each is disposed after its step.</param>
    /// <param name="batchesPerEpoch">How many there are in an epoch, where known: schedules and estimates of time need it.</param>
    public static TrainingData FromBatches(IEnumerable<(Tensor X, Tensor Context)> batches, long? batchesPerEpoch = null)
    {
        ArgumentNullException.ThrowIfNull(batches);
        return new BatchData(batches.Select(b => (b.X, (Tensor?)b.Context)), batchesPerEpoch, batches is IReadOnlyCollection<(Tensor, Tensor)>);
    }

    /// <summary>Whether <see cref="Split"/> can part off some of the examples.</summary>
    internal abstract bool CanSplit { get; }

    /// <summary>The number of batches of an epoch; null where it is not known.</summary>
    internal abstract long? BatchesPerEpoch(int batchSize);

    /// <summary>The batches of one epoch from batch <paramref name="skip"/> on. The caller disposes each.</summary>
    internal abstract IEnumerable<(Tensor X, Tensor? Context)> Batches(int batchSize, long seed, long skip);

    /// <summary>All examples in their order, in large batches or in those of a data loader. The caller disposes each.</summary>
    internal abstract IEnumerable<(Tensor X, Tensor? Context)> InOrder();

    /// <summary>Throws where tensors have been disposed.</summary>
    internal virtual void CheckAlive(string parameter) { }

    /// <summary>Parts off the last examples of a seeded permutation for validation; null where nothing is parted off.</summary>
    internal abstract (TrainingData Train, TrainingData? Validation) Split(double fraction, long seed);

    /// <summary>Frees what <see cref="Split"/> made for its parts; the examples stay.</summary>
    internal virtual void ReleaseSplit() { }

    private static Tensor Copy(float[,] rows)
    {
        var result = tensor(rows, device: CPU);
        return result.DetachFromDisposeScope();
    }
}

internal sealed class TensorData : TrainingData
{
    private readonly Tensor? rows;

    public TensorData(Tensor x, Tensor? context, Tensor? rows = null)
    {
        Check.Tensor(x, nameof(x));
        Check.NotMeta(x, nameof(x));
        if (x.dim() == 0 || x.shape[0] == 0) throw new ArgumentException($"Training needs at least one example; got a tensor of shape {EventShape.Format(x.shape)}.", nameof(x));
        if (context is not null)
        {
            Check.Tensor(context, nameof(context));
            if (context.dim() == 0 || context.shape[0] != x.shape[0])
                throw new ArgumentException($"Expected a context of shape ({x.shape[0]}, C), or ({x.shape[0]}, ...) for a flow with an encoder, one row an example; got {EventShape.Format(context.shape)}.", nameof(context));
        }
        (X, Context, this.rows) = (x, context, rows);
    }

    public Tensor X { get; }

    public Tensor? Context { get; }

    public override long? Count => rows?.shape[0] ?? X.shape[0];

    internal override bool CanSplit => true;

    internal override long? BatchesPerEpoch(int batchSize) => (Count + batchSize - 1) / batchSize;

    internal override IEnumerable<(Tensor X, Tensor? Context)> Batches(int batchSize, long seed, long skip)
    {
        var count = Count!.Value;
        var (order, contextOrder) = Order(count, seed);
        // the caller's tensors may require gradients; training has none for them
        var (x, context) = (Detached(X), Context is null ? null : Detached(Context));
        try
        {
            for (var start = skip * batchSize; start < count; start += batchSize)
            {
                var size = Math.Min(batchSize, count - start);
                yield return (Gather(x, order, start, size), context is null ? null : Gather(context, contextOrder!, start, size));
            }
        }
        finally
        {
            order.Dispose();
            contextOrder?.Dispose();
            x.Dispose();
            context?.Dispose();
        }
    }

    internal override void CheckAlive(string parameter)
    {
        Check.Tensor(X, parameter);
        if (Context is not null) Check.Tensor(Context, parameter);
    }

    internal override IEnumerable<(Tensor X, Tensor? Context)> InOrder()
    {
        var (count, size) = (Count!.Value, Batch.Size(X.numel() / X.shape[0]));
        for (long start = 0; start < count; start += size)
            yield return (Rows(X, start, Math.Min(size, count - start)), Context is null ? null : Rows(Context, start, Math.Min(size, count - start)));
    }

    private Tensor Rows(Tensor tensor, long start, long size)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return scope.Detach(rows is null ? tensor.narrow(0, start, size).detach() : tensor.index_select(0, rows.narrow(0, start, size).to(tensor.device)));
    }

    // the rows of an epoch, where the examples are: an index that is sent to a device for each batch would wait for the device each time
    private (Tensor Order, Tensor? ContextOrder) Order(long count, long seed)
    {
        using var scope = NewDisposeScope();
        using var shuffled = Permutation(count, seed);
        var order = rows is null ? shuffled : rows.index_select(0, shuffled);
        return (scope.Detach(order.to(X.device, copy: true)), Context is null ? null : scope.Detach(order.to(Context.device, copy: true)));
    }

    internal static Tensor Detached(Tensor tensor) => tensor.detach().DetachFromDisposeScope();

    // no scope may stay open over a yield: it would catch the tensors of the caller
    private static Tensor Gather(Tensor tensor, Tensor order, long start, long size)
    {
        using var scope = NewDisposeScope();
        return scope.Detach(tensor.index_select(0, order.narrow(0, start, size)));
    }

    /// <summary>All examples in their order, as two tensors that the caller disposes.</summary>
    public (Tensor X, Tensor? Context) All()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (rows is null) return (scope.Detach(X.detach()), Context is null ? null : scope.Detach(Context.detach()));
        var index = rows.to(X.device);
        return (scope.Detach(X.index_select(0, index)), Context is null ? null : scope.Detach(Context.index_select(0, rows.to(Context.device))));
    }

    internal override (TrainingData Train, TrainingData? Validation) Split(double fraction, long seed)
    {
        var held = (long)Math.Round(Count!.Value * fraction);
        if (held == 0) return (this, null);
        if (held == Count) throw new ArgumentException($"A validation fraction of {fraction} leaves none of the {Count} examples to train on.", nameof(fraction));
        using var scope = NewDisposeScope();
        using var order = Permutation(Count.Value, seed);
        return (new TensorData(X, Context, scope.Detach(order.narrow(0, 0, Count.Value - held).clone())),
            new TensorData(X, Context, scope.Detach(order.narrow(0, Count.Value - held, held).clone())));
    }

    internal override void ReleaseSplit() => rows?.Dispose();

    private static Tensor Permutation(long count, long seed)
    {
        using var generator = RandomSource.New(seed);
        return Noise.Permutation(count, generator).DetachFromDisposeScope();
    }
}

/// <param name="batches">The batches.</param>
/// <param name="batchesPerEpoch">How many there are, if known.</param>
/// <param name="held">Whether the sequence holds its batches, as a list does, so that a pass before training must leave them alive.</param>
internal sealed class BatchData(IEnumerable<(Tensor X, Tensor? Context)> batches, long? batchesPerEpoch, bool held) : TrainingData
{
    public override long? Count => null;

    internal override bool CanSplit => false;

    internal override long? BatchesPerEpoch(int batchSize) => batchesPerEpoch;

    internal override IEnumerable<(Tensor X, Tensor? Context)> Batches(int batchSize, long seed, long skip)
    {
        var index = 0L;
        foreach (var batch in batches)
        {
            CheckAlive(batch);
            if (index++ >= skip) yield return (Owned(batch.X), batch.Context is null ? null : Owned(batch.Context));
            else
            {
                batch.X.Dispose();
                batch.Context?.Dispose();
            }
        }
    }

    internal override IEnumerable<(Tensor X, Tensor? Context)> InOrder()
    {
        foreach (var batch in batches)
        {
            CheckAlive(batch);
            yield return held ? (TensorData.Detached(batch.X), batch.Context is null ? null : TensorData.Detached(batch.Context)) : batch;
        }
    }

    // a batch is ours to dispose; one that requires gradients, or was made in inference mode, is taken without
    private static Tensor Owned(Tensor batch)
    {
        if (!batch.requires_grad && !GradientMode.IsInference(batch)) return batch;
        // the loader may have left this thread in inference mode
        using var mode = GradientMode.Enter();
        using (batch) return batch.detach().clone().DetachFromDisposeScope();
    }

    private static void CheckAlive((Tensor X, Tensor? Context) batch)
    {
        if (batch.X is null || batch.X.IsInvalid || batch.Context is { IsInvalid: true })
            throw new ArgumentException("The data loader gave a batch that has been disposed. Each batch is disposed after its use, so make a new one for each epoch and for the pass that fits layers to the data, such as tensor.clone(); or fit the layers with a tensor first: Trainer.FitLayers.");
    }

    internal override (TrainingData Train, TrainingData? Validation) Split(double fraction, long seed) => fraction == 0
        ? (this, null)
        : throw new ArgumentException("A validation fraction needs data in a tensor or an array; give validation data beside a data loader instead.", nameof(fraction));
}
