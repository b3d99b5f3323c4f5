using static TorchSharp.torch;

namespace RealNvp.Layers;

/// <content>Shapes and circles through the steps.</content>
internal sealed partial class StepPlan
{
    private IReadOnlyList<Circle>? circles;

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

    /// <summary>The circles that the layers have, as those of the composite's input.</summary>
    public IReadOnlyList<Circle> CircularFeatures => circles ??= FindCircles();

    /// <summary>The circles of z for circles of x, or the other way round.</summary>
    public IReadOnlyList<Circle> CirclesThrough(IReadOnlyList<Circle> circles, bool inverse) =>
        circles.Count == 0 ? circles : [.. Follow(InOrder(inverse), [.. circles.Select(c => (0, c))], inverse).Select(c => c.Circle)];

    private List<Circle> FindCircles()
    {
        var found = new List<Circle>();
        for (var i = 0; i < Groups.Length; i++)
            for (var j = 0; j < Groups[i].Layers.Length; j++)
            {
                var (group, layer) = (Groups[i], Groups[i].Layers[j]);
                var own = layer.CircularFeatures;
                // what an inverted layer gets is what it would give
                if (group.IsInverse && own.Count > 0) own = layer.CirclesThrough(own);
                foreach (var circle in own)
                {
                    StepGroup[] before = [new StepGroup(null, [.. group.Layers[..j]], group.IsInverse, group.Part),
                        .. Groups[..i].Reverse()];
                    foreach (var (_, at) in Follow(before, [(group.Part, circle)], inverse: true))
                        if (!found.Contains(at) && CirclesThrough([at], inverse: false).Count > 0) found.Add(at);
                }
            }
        return found;
    }

    private List<(int Part, Circle Circle)> Follow(IReadOnlyList<StepGroup> groups, List<(int Part, Circle Circle)> at, bool inverse)
    {
        foreach (var group in groups)
        {
            if (at.Count == 0) break;
            if (group.Move is { } move)
            {
                var places = Places(move, inverse);
                at = places is null ? [] : [.. at.Select(c => (c.Circle, To: places.TryGetValue((c.Part, c.Circle.Feature), out var to) ? to
                    : (-1, -1))).Where(c => c.To.Item1 >= 0).Select(c => (c.To.Item1, c.Circle.At(c.To.Item2)))];
                continue;
            }
            foreach (var layer in group.InOrder(inverse))
            {
                var through = layer.CirclesThrough([.. at.Where(c => c.Part == group.Part).Select(c => c.Circle)],
                    group.IsInverse != inverse);
                at = [.. at.Where(c => c.Part != group.Part), .. through.Select(c => (group.Part, c))];
            }
        }
        return at;
    }

    // where a rearrangement brings each element; null if the shapes are not known
    private Dictionary<(int Part, int Element), (int Part, int Element)>? Places(CompositeStep move, bool inverse)
    {
        if (input is not { IsFixed: true } shape) return null;
        EventShape[] parts = [shape];
        foreach (var group in Groups)
        {
            if (ReferenceEquals(group.Move, move)) break;
            parts = Through(group, parts, inverse: false);
        }
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var numbered = new List<Tensor>();
        var from = new List<(int Part, int Element)>();
        foreach (var part in parts)
        {
            var size = (int)part.NumElements;
            numbered.Add(Internal.Scalars.Range(size, CPU, from.Count).reshape(part.WithBatch(1)));
            from.AddRange(Enumerable.Range(0, size).Select(e => (numbered.Count - 1, e)));
        }
        var places = new Dictionary<(int, int), (int, int)>();
        var moved = move.Move(numbered, inverse: false);
        for (var p = 0; p < moved.Count; p++)
        {
            var numbers = Internal.HostFetch.FetchInt64s(moved[p].flatten());
            for (var e = 0; e < numbers.Length; e++)
                if (inverse) places[(p, e)] = from[(int)numbers[e]];
                else places[from[(int)numbers[e]]] = (p, e);
        }
        return places;
    }
}
