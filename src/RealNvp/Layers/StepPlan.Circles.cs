using static TorchSharp.torch;

namespace RealNvp.Layers;

/// <content>Circles through the steps.</content>
internal sealed partial class StepPlan
{
    private IReadOnlyList<(Bijection Layer, Circle Own, Circle At)>? circles;

    /// <summary>The circles that the layers have, as those of the composite's input.</summary>
    public IReadOnlyList<Circle> CircularFeatures => [.. Circles.Select(c => c.At)];

    // each with its layer, the circle to that, and the circle of the composite's input
    private IReadOnlyList<(Bijection Layer, Circle Own, Circle At)> Circles => circles ??= FindCircles(checks: false);

    /// <summary>The circles of z for circles of x, or the other way round.</summary>
    public IReadOnlyList<Circle> CirclesThrough(IReadOnlyList<Circle> circles, bool inverse) =>
        circles.Count == 0 ? circles : [.. Follow(InOrder(inverse), [.. circles.Select(c => (0, c))], inverse).Select(c => c.Circle)];

    /// <summary>The part that takes a circle of the composite's input onto itself; null if none does.</summary>
    public Bijection? OwnerOf(Circle circle) => Circles.Where(c => c.At == circle).Select(c => c.Layer.OwnerOf(c.Own)).FirstOrDefault();

    /// <summary>The part that cuts a circle; null if it is none of them.</summary>
    public Bijection? CutterOf(Circle circle, bool inverse)
    {
        Bijection? cutter = null;
        Follow(InOrder(inverse), [(0, circle)], inverse, found => cutter ??= found);
        return cutter;
    }

    /// <summary>Throws if a part cuts a circle that another part has. Where the sizes are not known nothing can be said.</summary>
    public void CheckCircles()
    {
        foreach (var layer in Layers) CirclePath.Through(layer);
        if (input is { IsFixed: true }) FindCircles(checks: true);
    }

    private List<(Bijection Layer, Circle Own, Circle At)> FindCircles(bool checks)
    {
        var found = new List<(Bijection, Circle Own, Circle At)>();
        for (var i = 0; i < Groups.Length; i++)
            for (var j = 0; j < Groups[i].Layers.Length; j++)
            {
                var (group, layer) = (Groups[i], Groups[i].Layers[j]);
                StepGroup[] before = [Part(group, ..j), .. Groups[..i].Reverse()], after = [Part(group, j..), .. Groups[(i + 1)..]];
                foreach (var own in layer.CircularFeatures)
                    // what an inverted layer gets is what it would give
                    foreach (var entering in group.IsInverse ? layer.CirclesThrough([own]) : [own])
                    {
                        var at = Reach(before, entering, group, inverse: true, checks ? (layer, own, "after it") : null);
                        if (at is not (_, var outer) || found.Exists(f => f.At == outer)) continue;
                        if (Reach(after, entering, group, inverse: false, checks ? (layer, own, "before it") : null) is not null)
                            found.Add((layer, own, outer));
                    }
            }
        return found;
    }

    private static StepGroup Part(StepGroup group, Range layers) => new(null, group.Layers[layers], group.IsInverse, group.Part);

    // where a circle comes to, or null if it is cut; that is refused if somebody is named whose circle it is
    private (int Part, Circle Circle)? Reach(StepGroup[] groups, Circle circle, StepGroup from, bool inverse,
        (Bijection Layer, Circle Own, string Where)? owner)
    {
        Bijection? cutter = null;
        if (Follow(groups, [(from.Part, circle)], inverse, found => cutter ??= found) is [var at, ..]) return at;
        if (owner is var (layer, own, where) && cutter is not null) throw CirclePath.Cut(cutter, own, layer.OwnerOf(own), where);
        return null;
    }

    private List<(int Part, Circle Circle)> Follow(IReadOnlyList<StepGroup> groups, List<(int Part, Circle Circle)> at, bool inverse,
        Action<Bijection>? cut = null)
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
                Circle[] here = [.. at.Where(c => c.Part == group.Part).Select(c => c.Circle)];
                var through = layer.CirclesThrough(here, group.IsInverse != inverse);
                if (through.Count < here.Length) cut?.Invoke(layer.CutterOf(here[0], group.IsInverse != inverse));
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
