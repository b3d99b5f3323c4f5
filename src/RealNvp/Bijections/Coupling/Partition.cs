using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// How a mask parts an example into the variables that are kept and those that are transformed. A mask that differs along the
/// first dimension only is a real split, so nothing is computed for what it throws away; any other mask stays dense.
/// </summary>
internal abstract class Partition
{
    /// <summary>The shape of what a conditioner sees.</summary>
    public abstract EventShape KeptShape { get; }

    /// <summary>The shape of what is transformed.</summary>
    public abstract EventShape ChangedShape { get; }

    /// <summary>1 if an element changes, 0 if it is kept; null if all of the changed part changes.</summary>
    public virtual Tensor? Changes => null;

    public abstract Tensor Kept(Tensor x);

    public abstract Tensor Changed(Tensor x);

    /// <summary>Sets parameters (N, P·C, ...) to 0 if a variable is kept, which makes the transformer the identity there.</summary>
    public virtual Tensor Restrict(Tensor parameters) => parameters;

    /// <summary>Puts the transformed part back beside the kept part of <paramref name="x"/>.</summary>
    /// <param name="x">The example.</param>
    /// <param name="changed">The transformed part.</param>
    /// <param name="kept">What <see cref="Kept"/> gave; null to take it anew. It is taken anew if it was a copy, which a network may have
    /// written to.</param>
    public abstract Tensor Merge(Tensor x, Tensor changed, Tensor? kept = null);

    /// <summary>
    /// The gradient with respect to the example, from that with respect to the merged result, and from those that came through the
    /// conditioner to the kept part and through the transformer to the changed one.
    /// </summary>
    public abstract Tensor MergeGradients(Tensor result, Tensor kept, Tensor changed);

    /// <summary>Chooses the cheapest partition for a mask; <paramref name="constant"/> registers a tensor that follows the layer.</summary>
    public static Partition Of(EventShape shape, Mask mask, Func<Constant, Constant> constant) =>
        KeptRows(shape, mask) is { } rows ? new SplitPartition(shape, rows, constant) : new DensePartition(shape, mask, constant);

    /// <summary>For each channel or feature whether a mask keeps it; null for a
    /// mask that keeps a part of one. Throws if the mask does not fit.</summary>
    public static bool[]? KeptRows(EventShape shape, Mask mask)
    {
        if (shape.Count == 0) throw new ArgumentException("A coupling needs examples with at least one dimension.", nameof(shape));
        // only the sizes that the mask names must be known: a channel mask fits images of any size
        var known = new long[shape.Count];
        for (var d = 0; d < known.Length; d++)
        {
            var fromEnd = known.Length - d;
            known[d] = shape[d] != -1 ? shape[d] : fromEnd <= mask.Shape.Count ? mask.Shape[^fromEnd] : 1;
        }
        mask.CheckFits(known);
        if (!mask.Kept.Contains(true) || !mask.Kept.Contains(false))
            throw new ArgumentException(
                $"A coupling needs a mask that keeps some variables and transforms others; this one " +
                $"{(mask.Kept[0] ? "keeps" : "transforms")} all {EventShape.Create(known).NumElements}.", nameof(mask));
        // not spread over the example: for a large image that would cost more than its network
        return mask.Shape.Count == known.Length && mask.Shape[0] > 1 ? Rows(mask.Kept, (int)mask.Shape[0]) : null;
    }

    // the one value of each slice along the first dimension; null if a slice has both
    private static bool[]? Rows(ReadOnlySpan<bool> kept, int count)
    {
        var inner = kept.Length / count;
        var rows = new bool[count];
        for (var i = 0; i < count; i++)
        {
            rows[i] = kept[i * inner];
            if (kept.Slice(i * inner, inner).Contains(!rows[i])) return null;
        }
        return rows;
    }
}

/// <summary>Any mask: everything is computed, and zero parameters keep what the mask keeps.</summary>
internal sealed class DensePartition(EventShape shape, Mask mask, Func<Constant, Constant> constant) : Partition
{
    private readonly Constant keeps = constant(new Constant(mask.Batched));
    private readonly Constant changes = constant(new Constant((!mask).Batched));
    private readonly bool perChannel = mask.Shape.Count == shape.Count && mask.Shape[0] > 1;

    public override EventShape KeptShape => shape;

    public override EventShape ChangedShape => shape;

    public override Tensor Changes => changes.Value;

    /// <summary>1 if an element is kept, 0 if it changes, with a batch dimension of 1.</summary>
    public Tensor Keeps => keeps.Value;

    public override Tensor Kept(Tensor x) => x.mul(keeps.Value);

    public override Tensor Changed(Tensor x) => x;

    public override Tensor Restrict(Tensor parameters)
    {
        if (!perChannel) return parameters.mul(changes.Value);
        // the mask has channels of its own: repeat it for each of the P parameters
        var channels = shape[0];
        var repeats = parameters.shape[1] / channels;
        return parameters.unflatten(1, [repeats, channels]).mul(changes.Value.unsqueeze(1)).flatten(1, 2);
    }

    public override Tensor Merge(Tensor x, Tensor changed, Tensor? kept = null) => changed;

    // all of the example went through the transformer, the kept part as it was
    public override Tensor MergeGradients(Tensor result, Tensor kept, Tensor changed) => changed.addcmul(kept, keeps.Value, Scalars.One);
}

/// <summary>A mask along the first dimension (channels or features): views where the parts lie together, gathers otherwise.</summary>
internal sealed class SplitPartition : Partition
{
    private readonly Constant? keptIndex, changedIndex, mergeIndex;
    private readonly (long Start, long Length)? keptRun, changedRun;
    private readonly EventShape shape;

    public SplitPartition(EventShape shape, bool[] kept, Func<Constant, Constant> constant)
    {
        this.shape = shape;
        (KeptAt, ChangedAt) = (Indices(kept, true), Indices(kept, false));
        (keptRun, changedRun) = (Run(KeptAt), Run(ChangedAt));
        if (keptRun is not null && changedRun is not null) return;
        keptIndex = constant(new Constant(Index(KeptAt)));
        changedIndex = constant(new Constant(Index(ChangedAt)));
        var merged = new int[kept.Length];
        for (var i = 0; i < KeptAt.Length; i++) merged[KeptAt[i]] = i;
        for (var i = 0; i < ChangedAt.Length; i++) merged[ChangedAt[i]] = KeptAt.Length + i;
        mergeIndex = constant(new Constant(Index(merged)));
    }

    /// <summary>The channels or features that are kept.</summary>
    public int[] KeptAt { get; }

    /// <summary>The channels or features that change.</summary>
    public int[] ChangedAt { get; }

    /// <summary>Whether what is kept is one run of channels or features, and what changes another.</summary>
    public bool IsTwoRuns => mergeIndex is null;

    public override EventShape KeptShape => With(KeptAt.Length);

    public override EventShape ChangedShape => With(ChangedAt.Length);

    public override Tensor Kept(Tensor x) => Take(x, keptRun, keptIndex);

    public override Tensor Changed(Tensor x) => Take(x, changedRun, changedIndex);

    public override Tensor Merge(Tensor x, Tensor changed, Tensor? kept = null) =>
        Join(kept is not null && IsTwoRuns ? kept : Kept(x), changed);

    public override Tensor MergeGradients(Tensor result, Tensor kept, Tensor changed) => Join(Kept(result).add(kept, Scalars.One), changed);

    private Tensor Join(Tensor kept, Tensor changed)
    {
        if (mergeIndex is not null) return cat([kept, changed], 1).index_select(1, mergeIndex.Value);
        return keptRun!.Value.Start == 0 ? cat([kept, changed], 1) : cat([changed, kept], 1);
    }

    private static Tensor Take(Tensor x, (long Start, long Length)? run, Constant? index) =>
        index is null ? x.narrow(1, run!.Value.Start, run.Value.Length) : x.index_select(1, index.Value);

    private EventShape With(long first) => EventShape.Create([first, .. shape.Skip(1)]);

    private static int[] Indices(bool[] kept, bool value)
    {
        var indices = new int[kept.AsSpan().Count(value)];
        for (int i = 0, at = 0; i < kept.Length; i++)
            if (kept[i] == value) indices[at++] = i;
        return indices;
    }

    private static Tensor Index(int[] indices)
    {
        using var narrow = tensor(indices, device: CPU);
        return narrow.to(ScalarType.Int64);
    }

    private static (long, long)? Run(int[] indices) => indices[^1] - indices[0] + 1 == indices.Length ? (indices[0], indices.Length) : null;
}
