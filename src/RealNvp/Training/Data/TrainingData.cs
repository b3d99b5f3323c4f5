using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Examples to train on, with contexts if the flow is conditional, and weights if they do not
/// count the same: a tensor, an array, batches from a data loader, or a class of yours.</summary>
/// <remarks>
/// <para>Tensors stay the caller's: they must live as long as the training, and are never changed.</para>
/// <para>A class of your own gives the batches of an epoch by its seed. The same seed must give the same batches in the same order, also on
/// another day: a training that is resumed asks for those of the epoch that it was in, from the first on that it has not taken.</para>
/// </remarks>
public abstract class TrainingData
{
    // for the pass that fits layers to data
    private const int InOrderBatch = 256;

    /// <summary>Begins data of your own.</summary>
    protected TrainingData() { }

    /// <summary>The number of examples; null if it is not known.</summary>
    public abstract long? Count { get; }

    /// <summary>Whether batches have examples: see <see cref="TrainingBatch.X"/>. True unless overridden.</summary>
    public virtual bool HasExamples => true;

    /// <summary>The number of batches of an epoch; null if it is not known. Schedules that
    /// come down to the end of the training, and estimates of time, need it.</summary>
    /// <param name="batchSize"><see cref="TrainingOptions.BatchSize"/>; data whose batches come ready made ignore it.</param>
    public abstract long? BatchesPerEpoch(int batchSize);

    /// <summary>The batches of one epoch. Whoever enumerates them disposes each, before it asks for the next one.</summary>
    /// <param name="batchSize">The number of examples of a batch; data whose batches come ready made ignore it.</param>
    /// <param name="seed">Decides the order of the examples; another one in each epoch.</param>
    /// <param name="skip">The number of batches to leave out at the beginning: those that a resumed training has taken already.</param>
    public abstract IEnumerable<TrainingBatch> Batches(int batchSize, long seed, long skip);

    /// <summary>All examples in their order, for the pass before training that fits layers
    /// to data (<see cref="IFitsData"/>). The caller disposes each batch.</summary>
    /// <remarks>Unless overridden, an epoch of <see cref="Batches"/> with a seed of 0.</remarks>
    public virtual IEnumerable<TrainingBatch> InOrder() => Batches(InOrderBatch, 0, 0);

    /// <summary>Whether <see cref="Split"/> can part off some of the examples. False unless overridden.</summary>
    public virtual bool CanSplit => false;

    /// <summary>Parts off some examples for validation.</summary>
    /// <param name="fraction">The part for validation, in [0, 1).</param>
    /// <param name="seed">Decides which.</param>
    /// <returns>The data to train on, and those to validate on; these data and null if nothing is parted off.</returns>
    /// <exception cref="ArgumentException">The data cannot be split, or nothing would be left to train on.</exception>
    public virtual (TrainingData Train, TrainingData? Validation) Split(double fraction, long seed) => fraction == 0
        ? (this, null)
        : throw new ArgumentException(
            "A validation fraction needs data in a tensor or an array; give validation data beside a data loader instead.",
            nameof(fraction));

    /// <summary>Frees what <see cref="Split"/> made for this part; the examples stay. Does nothing unless overridden.</summary>
    public virtual void ReleaseSplit() { }

    /// <summary>Examples in one tensor, shuffled anew in each epoch.</summary>
    /// <param name="x">(N, ...) with N of at least 1, on any device; integers for a flow that dequantizes.</param>
    /// <param name="context">(N, C), or (N, ...) for a flow with a <see cref="ContextEncoder"/>, such as labels (N); or null.</param>
    /// <param name="weights">
    /// (N), how much each example counts, in the loss and in validation: finite and not negative. A weight of 2 is the same as the row
    /// twice, and rows of weight 0 are left out. What layers take from data, such as means, counts each row once. Null: all count the same.
    /// </param>
    /// <exception cref="ArgumentException">A tensor does not fit, or weights are
    /// negative, not finite or all 0; the message lists the rows.</exception>
    public static TrainingData From(Tensor x, Tensor? context = null, Tensor? weights = null) => TensorData.Weighted(x, context, weights);

    /// <summary>Rows of an array: (N, D) examples of D features. The array is copied; the garbage collector frees the copy.</summary>
    /// <param name="rows">N rows of D values.</param>
    /// <param name="context">N rows of C values, or null.</param>
    /// <param name="weights">N weights, as of <see cref="From(Tensor, Tensor, Tensor)"/>; or null.</param>
    public static TrainingData From(float[,] rows, float[,]? context = null, float[]? weights = null)
    {
        ArgumentNullException.ThrowIfNull(rows);
        return TensorData.Weighted(Copy(rows), context is null ? null : Copy(context), weights is null ? null
            : tensor(weights, device: CPU).DetachFromDisposeScope());
    }

    /// <summary>Contexts without examples, shuffled anew in each epoch: for an objective that draws the examples itself, as
    /// <see cref="Objective.ReverseKl(Func{Tensor, Tensor, Tensor}, long, GradientEstimator)"/> does.</summary>
    /// <param name="context">(N, C), or (N, ...) for a flow with a <see cref="ContextEncoder"/>; N of at least 1.</param>
    public static TrainingData FromContexts(Tensor context) => TensorData.OfContexts(context);

    /// <summary>No data: for an objective that draws the examples itself, as
    /// <see cref="Objective.ReverseKl(Func{Tensor, Tensor}, long, GradientEstimator)"/> does.</summary>
    /// <param name="stepsPerEpoch">The number of steps that count as an epoch; at least 1.</param>
    public static TrainingData None(long stepsPerEpoch) => new NoData(stepsPerEpoch);

    /// <summary>Batches that come ready made, in the order in which they come; enumerated once an epoch.</summary>
    /// <param name="batches">Batches of shape (N, ...), for example a TorchSharp data loader. Each is disposed after its step.</param>
    /// <param name="batchesPerEpoch">How many there are in an epoch, if known: schedules and estimates of time need it.</param>
    public static TrainingData FromBatches(IEnumerable<Tensor> batches, long? batchesPerEpoch = null)
    {
        ArgumentNullException.ThrowIfNull(batches);
        return new BatchData(batches.Select(x => (x, (Tensor?)null, (Tensor?)null)), batchesPerEpoch,
            batches is IReadOnlyCollection<Tensor>);
    }

    /// <summary>Batches with contexts that come ready made; enumerated once an epoch.</summary>
    /// <param name="batches">Pairs of (N, ...) and (N, C). Each is disposed after its step.</param>
    /// <param name="batchesPerEpoch">How many there are in an epoch, if known: schedules and estimates of time need it.</param>
    public static TrainingData FromBatches(IEnumerable<(Tensor X, Tensor Context)> batches, long? batchesPerEpoch = null)
    {
        ArgumentNullException.ThrowIfNull(batches);
        return new BatchData(batches.Select(b => (b.X, (Tensor?)b.Context, (Tensor?)null)), batchesPerEpoch,
            batches is IReadOnlyCollection<(Tensor, Tensor)>);
    }

    /// <summary>Batches with weights that come ready made, and with contexts unless they are null; enumerated once an epoch.</summary>
    /// <param name="batches">
    /// Examples (N, ...), contexts (N, C) or null, and weights (N) as of <see cref="From(Tensor, Tensor, Tensor)"/>, not all 0 in any
    /// batch. Each is disposed after its step. Weights are looked at in each step, which waits for a device: keep them on the CPU.
    /// </param>
    /// <param name="batchesPerEpoch">How many there are in an epoch, if known: schedules and estimates of time need it.</param>
    public static TrainingData FromBatches(IEnumerable<(Tensor X, Tensor? Context, Tensor Weights)> batches, long? batchesPerEpoch = null)
    {
        ArgumentNullException.ThrowIfNull(batches);
        return new BatchData(batches.Select(b => (b.X, b.Context, (Tensor?)b.Weights)), batchesPerEpoch,
            batches is IReadOnlyCollection<(Tensor, Tensor?, Tensor)>);
    }

    /// <summary>The part of one process of data that all of them can see: see <see cref="Trainer.Exchange"/>.</summary>
    /// <remarks>
    /// Of examples in tensors or arrays it copies the rows ⌊N·rank/size⌋ ... ⌊N·(rank + 1)/size⌋ − 1, so that the whole may be freed; of a
    /// loader each batch is parted in that way. All parts together are the data, so a training on several processes sees the batches that
    /// one process would see, whatever their number.
    /// </remarks>
    /// <param name="rank">The number of the process, 0 ... <paramref name="size"/> − 1.</param>
    /// <param name="size">The number of processes.</param>
    /// <exception cref="ArgumentException">There are fewer examples than processes, or the rank is out of range.</exception>
    public TrainingData Shard(int rank, int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(rank);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(rank, size);
        return new ShardData(PartOf(rank, size), parted: true, size == 1 ? null : Mark);
    }

    /// <summary>As <see cref="Shard(int, int)"/>, for the processes of an exchange.</summary>
    /// <param name="exchange">Says which part.</param>
    public TrainingData Shard(IGradientExchange exchange)
    {
        ArgumentNullException.ThrowIfNull(exchange);
        return Shard(exchange.Rank, exchange.Size);
    }

    /// <summary>Says that these data are what this process has, and that the others have the rest: see
    /// <see cref="Trainer.Exchange"/>.</summary>
    /// <remarks>
    /// The whole data are the parts one after another, in the order of the processes. Examples in tensors or arrays are mixed over all
    /// processes. Of a loader, a batch of the training is the batches that the processes give at a time, one after another; a process that
    /// has no batch left takes part with none until all are through. Data of your own are asked for batches of
    /// <see cref="TrainingOptions.BatchSize"/> divided by the number of processes.
    /// </remarks>
    public TrainingData AsShard() => new ShardData(this, parted: false, null);

    /// <summary>The part of one process.</summary>
    internal virtual TrainingData PartOf(int rank, int size) => new PartedBatches(this, rank, size);

    /// <summary>Throws if tensors have been disposed.</summary>
    internal virtual void CheckAlive(string parameter) { }

    /// <summary>All examples in two tensors, which stay the data's, where there
    /// are such: they are looked over before training begins.</summary>
    internal virtual (Tensor X, Tensor? Context)? Whole => null;

    /// <summary>What tells these examples from others, for checkpoints; null if they come from code.</summary>
    internal virtual string? Mark => null;

    private static Tensor Copy(float[,] rows)
    {
        var result = tensor(rows, device: CPU);
        return result.DetachFromDisposeScope();
    }
}
