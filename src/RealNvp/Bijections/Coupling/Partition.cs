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

    /// <summary>1 where an element changes, 0 where it is kept; null where all of the changed part changes.</summary>
    public virtual Tensor? Changes => null;

    public abstract Tensor Kept(Tensor x);

    public abstract Tensor Changed(Tensor x);

    /// <summary>Sets parameters (N, P·C, ...) to 0 where a variable is kept, which makes the transformer the identity there.</summary>
    public virtual Tensor Restrict(Tensor parameters) => parameters;

    /// <summary>Puts the transformed part back beside the kept part of <paramref name="x"/>.</summary>
    public abstract Tensor Merge(Tensor x, Tensor changed);

    /// <summary>
    /// The gradient with respect to the example, from that with respect to the merged result, and from those that came through the
    /// conditioner to the kept part and through the transformer to the changed one.
    /// </summary>
    public abstract Tensor MergeGradients(Tensor result, Tensor kept, Tensor changed);

    /// <summary>Chooses the cheapest partition for a mask; <paramref name="constant"/> registers a tensor that follows the layer.</summary>
    public static Partition Of(EventShape shape, Mask mask, Func<Tensor, Constant> constant) =>
        KeptRows(shape, mask) is { } rows ? new SplitPartition(shape, rows, constant) : new DensePartition(shape, mask, constant);

    /// <summary>For each channel or feature whether a mask keeps it; null for a mask that keeps a part of one. Throws if the mask does not fit.</summary>
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
        var kept = mask.BroadcastTo(known);
        if (!kept.Contains(true) || !kept.Contains(false))
            throw new ArgumentException($"A coupling needs a mask that keeps some variables and transforms others; this one {(kept[0] ? "keeps" : "transforms")} all {kept.Length}.", nameof(mask));

        return Rows(kept, (int)known[0]);
    }

    // the one value of each slice along the first dimension; null where a slice has both
    private static bool[]? Rows(bool[] kept, int count)
    {
        var inner = kept.Length / count;
        var rows = new bool[count];
        for (var i = 0; i < count; i++)
        {
            rows[i] = kept[i * inner];
            if (kept.AsSpan(i * inner, inner).Contains(!rows[i])) return null;
        }
        return rows;
    }
}

/// <summary>Any mask: everything is computed, and zero parameters keep what the mask keeps.</summary>
internal sealed class DensePartition(EventShape shape, Mask mask, Func<Tensor, Constant> constant) : Partition
{
    private readonly Constant keeps = constant(Batched(mask));
    private readonly Constant changes = constant(Batched(!mask));
    private readonly bool per_channel = mask.Shape.Count == shape.Count && mask.Shape[0] > 1;

    public override EventShape KeptShape => shape;

    public override EventShape ChangedShape => shape;

    public override Tensor Changes => changes.Value;

    /// <summary>1 where an element is kept, 0 where it changes, with a batch dimension of 1.</summary>
    public Tensor Keeps => keeps.Value;

    public override Tensor Kept(Tensor x) => x.mul(keeps.Value);

    public override Tensor Changed(Tensor x) => x;

    public override Tensor Restrict(Tensor parameters)
    {
        if (!per_channel) return parameters.mul(changes.Value);
        // the mask has channels of its own: repeat it for each of the P parameters
        var channels = shape[0];
        var repeats = parameters.shape[1] / channels;
        return parameters.unflatten(1, [repeats, channels]).mul(changes.Value.unsqueeze(1)).flatten(1, 2);
    }

    public override Tensor Merge(Tensor x, Tensor changed) => changed;

    // all of the example went through the transformer, the kept part as it was
    public override Tensor MergeGradients(Tensor result, Tensor kept, Tensor changed) => changed.addcmul(kept, keeps.Value, Scalars.One);

    private static Tensor Batched(Mask mask)
    {
        using var values = mask.ToTensor(get_default_dtype());
        return values.unsqueeze(0);
    }
}

/// <summary>A mask along the first dimension (channels or features): views where the parts lie together, gathers otherwise.</summary>
internal sealed class SplitPartition : Partition
{
    private readonly Constant? kept_index, changed_index, merge_index;
    private readonly (long Start, long Length)? kept_run, changed_run;
    private readonly EventShape shape;
    private readonly int kept_count, changed_count;

    public SplitPartition(EventShape shape, bool[] kept, Func<Tensor, Constant> constant)
    {
        this.shape = shape;
        var keptAt = Indices(kept, true);
        var changedAt = Indices(kept, false);
        (kept_count, changed_count) = (keptAt.Length, changedAt.Length);
        (KeptAt, ChangedAt) = ([.. keptAt.Select(i => (int)i)], [.. changedAt.Select(i => (int)i)]);
        (kept_run, changed_run) = (Run(keptAt), Run(changedAt));
        if (kept_run is not null && changed_run is not null) return;
        kept_index = constant(tensor(keptAt, device: CPU));
        changed_index = constant(tensor(changedAt, device: CPU));
        var merged = new long[kept.Length];
        for (var i = 0; i < keptAt.Length; i++) merged[keptAt[i]] = i;
        for (var i = 0; i < changedAt.Length; i++) merged[changedAt[i]] = keptAt.Length + i;
        merge_index = constant(tensor(merged, device: CPU));
    }

    /// <summary>The channels or features that are kept.</summary>
    public int[] KeptAt { get; }

    /// <summary>The channels or features that change.</summary>
    public int[] ChangedAt { get; }

    public override EventShape KeptShape => With(kept_count);

    public override EventShape ChangedShape => With(changed_count);

    public override Tensor Kept(Tensor x) => Take(x, kept_run, kept_index);

    public override Tensor Changed(Tensor x) => Take(x, changed_run, changed_index);

    public override Tensor Merge(Tensor x, Tensor changed) => Join(Kept(x), changed);

    public override Tensor MergeGradients(Tensor result, Tensor kept, Tensor changed) => Join(Kept(result).add(kept, Scalars.One), changed);

    private Tensor Join(Tensor kept, Tensor changed)
    {
        if (merge_index is not null) return cat([kept, changed], 1).index_select(1, merge_index.Value);
        return kept_run!.Value.Start == 0 ? cat([kept, changed], 1) : cat([changed, kept], 1);
    }

    private static Tensor Take(Tensor x, (long Start, long Length)? run, Constant? index) =>
        index is null ? x.narrow(1, run!.Value.Start, run.Value.Length) : x.index_select(1, index.Value);

    private EventShape With(long first) => EventShape.Create([first, .. shape.Skip(1)]);

    private static long[] Indices(bool[] kept, bool value) => [.. Enumerable.Range(0, kept.Length).Where(i => kept[i] == value).Select(i => (long)i)];

    private static (long, long)? Run(long[] indices) => indices[^1] - indices[0] + 1 == indices.Length ? (indices[0], indices.Length) : null;
}
