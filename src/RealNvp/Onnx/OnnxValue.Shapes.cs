using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Onnx;

/// <content>Shapes, parts, places.</content>
public sealed partial class OnnxValue
{
    /// <summary>The same numbers in another shape.</summary>
    /// <param name="sizes">The new sizes; -1 for N.</param>
    public OnnxValue Reshape(params IReadOnlyList<long> sizes)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        if (sizes.SequenceEqual(shape)) return this;
        // 0 takes the size from the input, so that a batch without examples is one too
        long[] target = [.. sizes.Select((s, i) => s == -1 && i == 0 && shape is [-1, ..] ? 0 : s)];
        return Graph.Node("Reshape", [this, Graph.Integers(target)], sizes, Type);
    }

    /// <summary>(N, ...) as rows (N, D).</summary>
    public OnnxValue Flat() => shape.Length == 2 ? this : Reshape(shape[0], shape.Skip(1).Aggregate(1L, (n, s) => n * s));

    /// <summary>Adds a dimension of size 1.</summary>
    /// <param name="dimension">Where it is afterwards; at least 1.</param>
    public OnnxValue Unsqueeze(int dimension) => Reshape([.. shape.Take(dimension), 1L, .. shape.Skip(dimension)]);

    /// <summary>Takes a dimension of size 1 away.</summary>
    /// <param name="dimension">Which one; at least 1.</param>
    public OnnxValue Squeeze(int dimension) => Reshape([.. shape.Take(dimension), .. shape.Skip(dimension + 1)]);

    /// <summary>A part along a dimension.</summary>
    /// <param name="dimension">Which one, from 0.</param>
    /// <param name="start">The first index.</param>
    /// <param name="length">How many.</param>
    public OnnxValue Narrow(int dimension, long start, long length)
    {
        if (start == 0 && length == shape[dimension]) return this;
        long[] result = [.. shape];
        result[dimension] = length;
        return Graph.Node("Slice", [this, Graph.Integers([start]), Graph.Integers([start + length]), Graph.Integers([(long)dimension])],
            result, Type);
    }

    /// <summary>Some indices along a dimension, in their order.</summary>
    public OnnxValue Gather(int dimension, params IReadOnlyList<long> indices)
    {
        ArgumentNullException.ThrowIfNull(indices);
        long[] result = [.. shape];
        result[dimension] = indices.Count;
        return Graph.Node("Gather", [this, Graph.Integers(indices)], result, Type, ("axis", (long)dimension));
    }

    /// <summary>An image (N, C, H, W) with so many pixels of a number on each side.</summary>
    public OnnxValue Padded(long pixels, double number) => Graph.Node("Pad",
        [this, Graph.Integers([0, 0, pixels, pixels, 0, 0, pixels, pixels]), Graph.Number(number, Type, 0)],
        [shape[0], shape[1], shape[2] + (2 * pixels), shape[3] + (2 * pixels)], Type);

    /// <summary>For each element the one at an index of its own along a dimension.</summary>
    /// <param name="dimension">Which one.</param>
    /// <param name="indices">Of dtype int64; of the result's shape.</param>
    public OnnxValue GatherElements(int dimension, OnnxValue indices)
    {
        ArgumentNullException.ThrowIfNull(indices);
        return Graph.Node("GatherElements", [this, indices], indices.shape, Type, ("axis", (long)dimension));
    }

    /// <summary>The dimensions in another order.</summary>
    /// <param name="order">For each of the new dimensions the old one.</param>
    public OnnxValue Transpose(params IReadOnlyList<int> order) => Graph.Node("Transpose", [this], [.. order.Select(d => shape[d])], Type,
        ("perm", order.Select(d => (long)d).ToArray()));

    /// <summary>Spreads sizes of 1.</summary>
    /// <param name="sizes">The new sizes; -1 for N.</param>
    /// <param name="like">A value (N, ...) that says how many N are.</param>
    public OnnxValue Expand(IReadOnlyList<long> sizes, OnnxValue like)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        ArgumentNullException.ThrowIfNull(like);
        if (sizes.SequenceEqual(shape)) return this;
        OnnxValue target;
        if (sizes is [-1, ..])
        {
            var count = Graph.Node("Shape", [like], [1], ScalarType.Int64, ("start", 0L), ("end", 1L));
            target = sizes.Count == 1 ? count
                : Graph.Node("Concat", [count, Graph.Integers([.. sizes.Skip(1)])], [sizes.Count], ScalarType.Int64, ("axis", 0L));
        }
        else target = Graph.Integers(sizes);
        return Graph.Node("Expand", [this, target], sizes, Type);
    }

    /// <summary>Parts one behind the other along a dimension.</summary>
    public static OnnxValue Concat(int dimension, params IReadOnlyList<OnnxValue> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        if (parts.Count == 1) return parts[0];
        long[] result = [.. parts[0].shape];
        result[dimension] = parts.Sum(p => p.shape[dimension]);
        return parts[0].Graph.Node("Concat", parts, result, parts[0].Type, ("axis", (long)dimension));
    }

    /// <summary>Brings elements to other places as a function does with the elements of a tensor: by narrow, cat, index_select,
    /// reshape, permute and the like.</summary>
    /// <param name="move">Gets and gives tensors (N, ...) of dtype int64. It changes no element and depends on nothing else.</param>
    public OnnxValue Moved(Func<Tensor, Tensor> move)
    {
        ArgumentNullException.ThrowIfNull(move);
        return Moved([this], parts => [move(parts[0])])[0];
    }

    /// <summary>Brings elements of several values to other places and values, as a function does with those of tensors.</summary>
    /// <param name="parts">Values (N, ...) of one dtype.</param>
    /// <param name="move">As of <see cref="Moved(Func{Tensor, Tensor})"/>. An element may be left out, or be in several places.</param>
    /// <exception cref="ArgumentException">The function makes other numbers of the elements.</exception>
    public static IReadOnlyList<OnnxValue> Moved(IReadOnlyList<OnnxValue> parts, Func<IReadOnlyList<Tensor>, IReadOnlyList<Tensor>> move)
    {
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentNullException.ThrowIfNull(move);
        return OnnxMove.Write(parts, move);
    }
}
