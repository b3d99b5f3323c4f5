using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Onnx;

/// <summary>Elements that come to other places: where each comes from is read off from numbers that went the same way.</summary>
internal static class OnnxMove
{
    // so many pieces side by side are cheaper than a list of indices
    private const int MostPieces = 4;

    public static OnnxValue[] Write(IReadOnlyList<OnnxValue> parts, Func<IReadOnlyList<Tensor>, IReadOnlyList<Tensor>> move)
    {
        long[] starts = new long[parts.Count + 1];
        for (var i = 0; i < parts.Count; i++) starts[i + 1] = starts[i] + parts[i].EventShape.NumElements;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var numbered = parts.Select((p, i) => Scalars.Range(starts[i + 1] - starts[i], p.Graph.Device, starts[i])
            .reshape(p.EventShape.WithBatch(1))).ToArray();
        return [.. move(numbered).Select(moved => Write(parts, starts, moved))];
    }

    private static OnnxValue Write(IReadOnlyList<OnnxValue> parts, long[] starts, Tensor moved)
    {
        var from = moved.to(ScalarType.Int64).cpu().contiguous().FetchInt64s();
        if (moved.shape[0] != 1 || Array.Exists(from, i => i < 0 || i >= starts[^1]))
            throw new ArgumentException("A rearrangement must leave the elements of an example as they are, in other places.",
                nameof(moved));
        long[] shape = [-1, .. moved.shape.Skip(1)];
        var used = Enumerable.Range(0, parts.Count).Where(p => Array.Exists(from, i => i >= starts[p] && i < starts[p + 1])).ToArray();
        return Channels(parts, starts, from, shape) ?? Elements([.. used.Select(p => parts[p])], [.. used.Select(p => starts[p])], from)
            .Reshape(shape);
    }

    // whole channels or features that move: pieces and concatenations of the parts as they are
    private static OnnxValue? Channels(IReadOnlyList<OnnxValue> parts, long[] starts, long[] from, long[] shape)
    {
        if (shape.Length < 2) return null;
        var inner = shape.Skip(2).Aggregate(1L, (n, s) => n * s);
        if (!parts.All(p => p.Shape.Skip(2).SequenceEqual(shape.Skip(2)) && p.Shape.Count == shape.Length)) return null;
        var channels = new long[shape[1]];
        for (var c = 0; c < channels.Length; c++)
        {
            var first = from[c * inner];
            if (first % inner != 0) return null;
            for (var k = 1; k < inner; k++)
                if (from[(c * inner) + k] != first + k) return null;
            channels[c] = first / inner;
        }
        var pieces = new List<(int Part, long Start, long Length)>();
        foreach (var channel in channels)
        {
            var part = Array.FindLastIndex(starts, parts.Count - 1, s => s / inner <= channel);
            var at = channel - (starts[part] / inner);
            if (pieces is [.., var (p, s, l)] && p == part && s + l == at) pieces[^1] = (p, s, l + 1);
            else pieces.Add((part, at, 1));
        }
        if (pieces.Count <= MostPieces)
            return OnnxValue.Concat(1, [.. pieces.Select(p => parts[p.Part].Narrow(1, p.Start, p.Length))]);
        return OnnxValue.Concat(1, parts).Gather(1, channels);
    }

    private static OnnxValue Elements(OnnxValue[] parts, long[] starts, long[] from)
    {
        var all = OnnxValue.Concat(1, [.. parts.Select(p => p.Flat())]);
        // indices into what is used
        long[] ends = [.. parts.Select((p, i) => starts[i] + p.EventShape.NumElements)];
        long[] before = [.. parts.Select((p, i) => starts[i] - parts.Take(i).Sum(q => q.EventShape.NumElements))];
        long[] at = [.. from.Select(f => f - before[Array.FindIndex(ends, e => f < e)])];
        var isRun = at.Select((a, i) => a - i).Distinct().Count() == 1;
        return isRun ? all.Narrow(1, at[0], at.Length) : all.Gather(1, at);
    }
}
