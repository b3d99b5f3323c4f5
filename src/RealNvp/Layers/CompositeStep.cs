using static TorchSharp.torch;

namespace RealNvp;

/// <summary>One step of a <see cref="Composite"/>: a layer that is applied
/// to a part of the value, or a rearrangement of the parts.</summary>
/// <remarks>A pass begins with one part, the value itself, and ends with one. Steps are made by the functions of this class.</remarks>
public sealed class CompositeStep
{
    private readonly Func<IReadOnlyList<Tensor>, IReadOnlyList<Tensor>>? there, back;

    private CompositeStep(Bijection layer, bool isInverse, int part)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentOutOfRangeException.ThrowIfNegative(part);
        (Layer, IsInverse, Part) = (layer, isInverse, part);
    }

    private CompositeStep(Func<IReadOnlyList<Tensor>, IReadOnlyList<Tensor>> there, Func<IReadOnlyList<Tensor>,
        IReadOnlyList<Tensor>> back) => (this.there, this.back) = (there, back);

    /// <summary>The layer; null for a rearrangement.</summary>
    public Bijection? Layer { get; }

    /// <summary>Whether the composite's Forward takes the layer's Inverse.</summary>
    public bool IsInverse { get; }

    /// <summary>The part that the layer is applied to, from 0.</summary>
    public int Part { get; }

    /// <summary>Applies a layer: its Forward in the composite's Forward, its Inverse in the composite's Inverse.</summary>
    /// <param name="layer">The layer. A composite has each layer in one step only.</param>
    /// <param name="part">The part of the value that it is applied to, from 0.</param>
    public static CompositeStep Apply(Bijection layer, int part = 0) => new(layer, isInverse: false, part);

    /// <summary>Applies a layer turned round: its Inverse in the composite's Forward.</summary>
    /// <param name="layer">The layer. A composite has each layer in one step only.</param>
    /// <param name="part">The part of the value that it is applied to, from 0.</param>
    public static CompositeStep Undo(Bijection layer, int part = 0) => new(layer, isInverse: true, part);

    /// <summary>
    /// Brings elements to other places and parts, by narrow, cat, reshape, permute, index_select and the like, so that
    /// log|det| is 0: each element is in one place before and in one place afterwards, and no element is changed.
    /// </summary>
    /// <remarks>Both functions get the parts, of shapes (N, ...), and return the new ones. They are
    /// used for gradients too. They dispose nothing, and depend on nothing but the parts.</remarks>
    /// <param name="forward">The parts of the composite's Forward.</param>
    /// <param name="inverse">The way back.</param>
    public static CompositeStep Rearrange(Func<IReadOnlyList<Tensor>, IReadOnlyList<Tensor>> forward, Func<IReadOnlyList<Tensor>,
        IReadOnlyList<Tensor>> inverse)
    {
        ArgumentNullException.ThrowIfNull(forward);
        ArgumentNullException.ThrowIfNull(inverse);
        return new(forward, inverse);
    }

    /// <summary>Splits a part along a dimension. The pieces take its place, so that parts behind it move up.</summary>
    /// <param name="dimension">The dimension, 0 being the batch; at least 1.</param>
    /// <param name="sizes">The size of each piece; they add up to that of the part.</param>
    /// <param name="part">The part, from 0.</param>
    public static CompositeStep Split(int dimension, IReadOnlyList<long> sizes, int part = 0)
    {
        CheckPieces(dimension, sizes, part);
        return new(parts => Split(parts, dimension, sizes, part), parts => Join(parts, dimension, sizes.Count, part));
    }

    /// <summary>Joins parts along a dimension into one, which takes the place of the first of
    /// them: the way back from <see cref="Split(int, IReadOnlyList{long}, int)"/>.</summary>
    /// <param name="dimension">The dimension, 0 being the batch; at least 1.</param>
    /// <param name="sizes">The size of each part that is joined.</param>
    /// <param name="part">The first of the parts, from 0.</param>
    public static CompositeStep Join(int dimension, IReadOnlyList<long> sizes, int part = 0)
    {
        CheckPieces(dimension, sizes, part);
        return new(parts => Join(parts, dimension, sizes.Count, part), parts => Split(parts, dimension, sizes, part));
    }

    /// <summary>The parts after a rearrangement.</summary>
    internal IReadOnlyList<Tensor> Move(IReadOnlyList<Tensor> parts, bool inverse) => (inverse ? back! : there!)(parts);

    private static Tensor[] Split(IReadOnlyList<Tensor> parts, int dimension, IReadOnlyList<long> sizes, int part)
    {
        var pieces = new Tensor[sizes.Count];
        long start = 0;
        for (var i = 0; i < pieces.Length; i++)
        {
            pieces[i] = parts[part].narrow(dimension, start, sizes[i]);
            start += sizes[i];
        }
        if (start != parts[part].shape[dimension])
            throw new ArgumentException(
                $"The pieces [{string.Join(", ", sizes)}] add up to {start}; the part has a size of {parts[part].shape[dimension]}.",
                nameof(sizes));
        return [.. parts.Take(part), .. pieces, .. parts.Skip(part + 1)];
    }

    private static Tensor[] Join(IReadOnlyList<Tensor> parts, int dimension, int count, int part) =>
        [.. parts.Take(part), cat([.. parts.Skip(part).Take(count)], dimension), .. parts.Skip(part + count)];

    private static void CheckPieces(int dimension, IReadOnlyList<long> sizes, int part)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dimension, 1);
        ArgumentNullException.ThrowIfNull(sizes);
        ArgumentOutOfRangeException.ThrowIfNegative(part);
        if (sizes.Count == 0 || sizes.Any(s => s < 0))
            throw new ArgumentException($"A part is split into one or more pieces; got the sizes [{string.Join(", ", sizes)}].",
                nameof(sizes));
    }
}
