using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A batch of examples, with contexts and weights if there are any. It owns its tensors: disposing it disposes them.</summary>
/// <remarks>A <see cref="Trainer"/> takes batches from <see cref="TrainingData"/>, moves
/// them to the device of the flow, and hands them to the <see cref="Objective"/>.</remarks>
public sealed class TrainingBatch : IDisposable
{
    private readonly Tensor? x, weights;

    /// <summary>Makes a batch of tensors, whose owner it becomes. Each has N rows.</summary>
    /// <param name="x">The examples (N, ...); null for an objective that takes none.</param>
    /// <param name="context">(N, C), or (N, ...) for a flow with a <see cref="ContextEncoder"/>; or null.</param>
    /// <param name="weights">(N), the weight of each example, not negative; or null, which is a weight of 1 for each.</param>
    /// <exception cref="ArgumentException">A tensor is disposed, or has another number of rows.</exception>
    public TrainingBatch(Tensor? x, Tensor? context = null, Tensor? weights = null)
    {
        long? count = null;
        foreach (var (tensor, name) in new[] { (x, nameof(x)), (context, nameof(context)), (weights, nameof(weights)) })
        {
            if (tensor is null) continue;
            Check.Tensor(tensor, name);
            if (tensor.dim() == 0)
                throw new ArgumentException($"Expected {name} with one row for each example; got a tensor without dimensions.", name);
            if (count is { } rows && tensor.shape[0] != rows)
                throw new ArgumentException(
                    $"Expected {name} with {rows} rows, one for each example; got {EventShape.Format(tensor.shape)}.", name);
            count = tensor.shape[0];
        }
        if (weights is not null && weights.dim() != 1)
            throw new ArgumentException(
                $"Expected weights of shape ({count}), one for each example; got {EventShape.Format(weights.shape)}.", nameof(weights));
        if (weights is not null && x is null && context is null)
            throw new ArgumentException("There are weights, but nothing that they weigh. Give examples or contexts too.", nameof(weights));
        (this.x, Context, this.weights, Count) = (x, context, weights, count ?? 1);
    }

    /// <summary>N, the number of examples, or of contexts if there are no examples; 1 for a batch of neither.</summary>
    public long Count { get; }

    /// <summary>Whether there are examples.</summary>
    public bool HasExamples => x is not null;

    /// <summary>The examples (N, ...). The batch keeps their ownership.</summary>
    /// <exception cref="InvalidOperationException">The batch has none.</exception>
    public Tensor X =>
        x ?? throw new InvalidOperationException(
            $"The batch has no examples. Give {nameof(TrainingData)} that have some, or an {nameof(Objective)} whose " +
            $"{nameof(Objective.UsesExamples)} is false must not ask for them.");

    /// <summary>The contexts (N, ...), or null. The batch keeps their ownership.</summary>
    public Tensor? Context { get; }

    /// <summary>The weights (N) of the examples, positive and finite, or null
    /// if all count the same. The batch keeps their ownership.</summary>
    public Tensor? Weights
    {
        get
        {
            WeightsWereRead = true;
            return weights;
        }
    }

    /// <summary>Whether anybody has asked for the weights. A mean that does not know of them would be wrong.</summary>
    internal bool WeightsWereRead { get; private set; }

    /// <summary>The weights, for those who know what to do with them.</summary>
    internal Tensor? WeightsUnread => weights;

    /// <summary>Whether all weights are known to be positive and finite.</summary>
    internal bool WeightsAreChecked { get; init; }

    internal Tensor? XOrNull => x;

    /// <summary>The examples and the contexts, without the weights.</summary>
    /// <param name="x">As <see cref="X"/>.</param>
    /// <param name="context">As <see cref="Context"/>.</param>
    public void Deconstruct(out Tensor x, out Tensor? context) => (x, context) = (X, Context);

    /// <summary>Disposes the tensors.</summary>
    public void Dispose()
    {
        x?.Dispose();
        Context?.Dispose();
        weights?.Dispose();
        Share?.Places.Dispose();
    }

    /// <summary>Which rows of a batch that several processes share these are; null if it is a whole batch.</summary>
    internal RowShare? Share { get; init; }

    /// <summary>The batch as the flow's device has it. Its tensors are the scope's, or this batch's: it is not disposed.</summary>
    internal TrainingBatch On(Flow flow) => new(x is null ? null : flow.ToWeights(x), Context is null ? null
        : flow.ToWeights(Context), weights is null ? null : flow.ToWeights(weights)) { Share = Share };

    /// <summary>Views of the tensors of this batch, which the caller owns.</summary>
    internal TrainingBatch Alias() => Map(all => all.alias());

    /// <summary>A batch of what a function makes of each tensor, a new one, which the caller owns.</summary>
    /// <param name="of">The function. It runs in a dispose scope.</param>
    /// <param name="share">Which rows of a batch that several processes share these are then.</param>
    internal TrainingBatch Map(Func<Tensor, Tensor> of, RowShare? share = null)
    {
        using var scope = NewDisposeScope();
        Tensor? Mapped(Tensor? tensor) => tensor is null ? null : scope.Detach(of(tensor));
        return new(Mapped(x), Mapped(Context), Mapped(weights)) { WeightsAreChecked = WeightsAreChecked, Share = share };
    }

    /// <summary>What tells these rows from others.</summary>
    internal string Mark => RowDigest.OfSome([.. new[] { x, Context, weights }.OfType<Tensor>()], null);

    /// <summary>The number of bytes that it keeps.</summary>
    internal long Bytes => Size(x) + Size(Context) + Size(weights);

    private static long Size(Tensor? tensor) => tensor is null ? 0 : tensor.numel() * tensor.ElementSize;
}
