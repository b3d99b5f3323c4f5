using static TorchSharp.torch;

namespace RealNvp.Layers;

/// <content>Shapes through the steps.</content>
internal sealed partial class StepPlan
{
    /// <summary>The shape after all steps, or before them.</summary>
    public EventShape Through(EventShape shape, bool inverse)
    {
        EventShape[] parts = [shape];
        foreach (var group in InOrder(inverse)) parts = Through(group, parts, inverse);
        return parts is [var only] ? only
            : throw new ArgumentException(
            $"The steps of {owner} leave {parts.Length} parts; a last rearrangement must join them into one.");
    }

    private EventShape[] Through(StepGroup group, EventShape[] parts, bool inverse)
    {
        if (group.Move is { } move) return Moved(move, parts, inverse);
        if (group.Part >= parts.Length)
            throw new ArgumentException(
                $"A step of {owner} is for part {group.Part} of the value, which has {parts.Length} part(s) there.");
        var shape = parts[group.Part];
        foreach (var layer in group.InOrder(inverse)) shape = Next(layer, shape, group.IsInverse != inverse);
        EventShape[] all = [.. parts];
        all[group.Part] = shape;
        return all;
    }

    /// <summary>What reaches each layer on the way from x to z, as the shape of its own x.</summary>
    public IEnumerable<(Bijection Layer, EventShape Input)> Reaching(EventShape shape)
    {
        EventShape[] parts = [shape];
        foreach (var group in Groups)
        {
            var (after, at) = (Through(group, parts, inverse: false), group.Move is null ? parts[group.Part] : default);
            foreach (var layer in group.Layers)
            {
                var next = Next(layer, at, group.IsInverse);
                yield return (layer, group.IsInverse ? next : at);
                at = next;
            }
            parts = after;
        }
    }

    private EventShape Next(Bijection layer, EventShape shape, bool back)
    {
        var wanted = layer.InputShape is { } s ? (back ? layer.OutputShapeOf(s) : s) : (EventShape?)null;
        if (wanted is { } w && !Compatible(w, shape))
            throw new ArgumentException($"{layer.GetName()} in {owner} takes examples of shape {w}, but gets {shape}.");
        return back ? layer.InputShapeOf(shape) : layer.OutputShapeOf(shape);
    }

    // a batch without examples says what a rearrangement makes of shapes
    private EventShape[] Moved(CompositeStep move, EventShape[] parts, bool inverse)
    {
        if (!Array.TrueForAll(parts, p => p.IsFixed))
            throw new ArgumentException($"{owner} rearranges its value, so it needs all sizes; got {string.Join(", ", parts)}.");
        using var scope = NewDisposeScope();
        var empty = parts.Select(p => zeros(p.WithBatch(0), device: CPU)).ToArray();
        return [.. Checked(move, empty, inverse).Select(t => EventShape.Create(t.shape.AsSpan(1)))];
    }

    private IReadOnlyList<Tensor> Checked(CompositeStep move, Tensor[] parts, bool inverse)
    {
        try { return move.Move(parts, inverse); }
        catch (Exception e) when (e is System.Runtime.InteropServices.ExternalException or ArgumentException)
        {
            throw new ArgumentException(
                $"A rearrangement of {owner} fails on parts of shapes " +
                $"{string.Join(", ", parts.Select(p => EventShape.Format(p.shape)))}: {e.Message.Split('\n')[0]}", e);
        }
    }

    private static bool Compatible(EventShape a, EventShape b) =>
        a.Count == b.Count && a.Zip(b).All(p => p.First == p.Second || p.First == -1 || p.Second == -1);
}
