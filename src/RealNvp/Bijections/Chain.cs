using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Bijections one after the other: z = fₖ(...f₂(f₁(x))). The log-determinants add up; the inverse runs backwards.</summary>
/// <remarks>The chain owns its layers: disposing the chain disposes them.</remarks>
public sealed class Chain : Bijection
{
    private readonly TorchSharp.Modules.ModuleList<Bijection> layers;
    private readonly Bijection[] forward_order, inverse_order;

    /// <summary>Makes a chain of layers, the first being the one that meets the data.</summary>
    /// <param name="layers">At least one layer. Shapes are checked here: each layer must accept what the one before it gives.</param>
    /// <exception cref="ArgumentException">No layer, a layer twice, shapes that do not fit, or two different context sizes.</exception>
    public Chain(params IReadOnlyList<Bijection> layers) : base(nameof(Chain), FirstShape(layers))
    {
        ContextSize = CommonContext(layers, nameof(Chain));
        forward_order = [.. layers];
        inverse_order = [.. layers.Reverse()];
        CircularFeatures = Circles();
        this.layers = new TorchSharp.Modules.ModuleList<Bijection>(forward_order);
        RegisterComponents();
    }

    /// <summary>The layers in the order of <see cref="Bijection.Forward"/>.</summary>
    public IReadOnlyList<Bijection> Layers => forward_order;

    /// <inheritdoc/>
    public override long ContextSize { get; }

    /// <inheritdoc/>
    public override EventShape OutputShapeOf(EventShape input) => forward_order.Aggregate(input, (shape, layer) => layer.OutputShapeOf(shape));

    /// <inheritdoc/>
    public override EventShape InputShapeOf(EventShape output) => inverse_order.Aggregate(output, (shape, layer) => layer.InputShapeOf(shape));

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Tensor? context) => RunAll(forward_order, x, context, inverse: false);

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Tensor? context)
    {
        if (RequestedDtype is null) return RunAll(inverse_order, z, context, inverse: true);
        // the dtype that the caller wants is that of the data, which only the first layer gives
        var (value, total) = (z, (Tensor?)null);
        if (inverse_order.Length > 1)
            using (Internal.DataDtype.Use(null)) (value, total) = RunAll(inverse_order[..^1], z, context, inverse: true);
        var (x, logDet) = inverse_order[^1].Run(value, context, inverse: true);
        return (x, Add(total, logDet));
    }

    /// <inheritdoc/>
    public override bool IsRepeatable => forward_order.All(l => l.IsRepeatable);

    /// <summary>What a layer takes as a circle, if all layers before it and after it do.</summary>
    public override IReadOnlyList<Circle> CircularFeatures { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<Circle> CirclesThrough(IReadOnlyList<Circle> circles, bool inverse = false)
    {
        ArgumentNullException.ThrowIfNull(circles);
        return (inverse ? inverse_order : forward_order).Aggregate(circles, (left, layer) => left.Count == 0 ? left : layer.CirclesThrough(left, inverse));
    }

    /// <inheritdoc/>
    public override bool ConvertsDtype => forward_order[0].ConvertsDtype;

    internal override bool IsComposite => true;

    internal override void FollowCircles(CirclePath path, bool inverse)
    {
        foreach (var layer in inverse ? inverse_order : forward_order) layer.FollowCircles(path, inverse);
    }

    internal override (Tensor Input, Tensor Gradient) WalkBack(ReverseWalk walk, Tensor output, Tensor gradient, bool inverse) =>
        walk.Through(inverse ? inverse_order : forward_order, output, gradient, inverse);

    /// <inheritdoc/>
    public override bool AcceptsIntegers => Meeting(forward_order).Any(l => l.AcceptsIntegers);

    /// <inheritdoc/>
    public override bool MovesValues => forward_order.All(l => l.MovesValues);

    /// <inheritdoc/>
    protected internal override void CheckData(Tensor x, string owner)
    {
        foreach (var layer in Meeting(forward_order)) layer.CheckData(x, owner);
    }

    /// <inheritdoc/>
    protected internal override Tensor? OutsideDomain(Tensor x)
    {
        Tensor? outside = null;
        foreach (var layer in Meeting(forward_order))
            if (layer.OutsideDomain(x) is { } here) outside = outside?.logical_or(here) ?? here;
        return outside;
    }

    /// <summary>The layers that meet the values of the data as they are: the first one, and as long as layers only move values, the ones behind.</summary>
    internal static IEnumerable<Bijection> Meeting(IEnumerable<Bijection> layers)
    {
        foreach (var layer in layers)
        {
            yield return layer;
            if (!layer.MovesValues) break;
        }
    }

    /// <summary>Runs layers in the given order, frees each value as soon as the next one is there, and sums the log-determinants.</summary>
    internal static (Tensor Value, Tensor? LogDet) RunAll(Bijection[] layers, Tensor input, Tensor? context, bool inverse)
    {
        if (ReversibleSession.Current is { } session) return session.RunAll(layers, input, context, inverse);
        var value = input;
        Tensor? total = null;
        for (var i = 0; i < layers.Length; i++)
        {
            var pair = i == layers.Length - 1 ? null : inverse ? layers[i].RunWith(layers[i + 1], value, inverse) : layers[i + 1].RunWith(layers[i], value, inverse);
            var (next, logDet) = pair ?? layers[i].Run(value, context, inverse);
            if (pair is not null) i++;
            if (!ReferenceEquals(value, input) && !ReferenceEquals(value, next)) value.Dispose();
            value = next;
            total = Add(total, logDet);
        }
        return (value, total);
    }

    internal static Tensor? Add(Tensor? total, Tensor? logDet)
    {
        if (total is null || logDet is null) return total ?? logDet;
        using (total)
        using (logDet)
            return total.add(logDet, Internal.Scalars.One);
    }

    /// <summary>The one context size that all conditional layers share; 0 where none is conditional.</summary>
    internal static long CommonContext(IEnumerable<Bijection> layers, string owner)
    {
        var sizes = layers.Select(l => l.ContextSize).Where(c => c > 0).Distinct().ToArray();
        return sizes.Length <= 1
            ? sizes.FirstOrDefault()
            : throw new ArgumentException($"All conditional layers of a {owner} take the same context; got context sizes {string.Join(" and ", sizes)}.", nameof(layers));
    }

    private List<Circle> Circles()
    {
        var found = new List<Circle>();
        for (var i = 0; i < forward_order.Length; i++)
            foreach (var circle in forward_order[i].CircularFeatures)
            {
                IReadOnlyList<Circle> at = [circle];
                for (var before = i - 1; before >= 0 && at.Count > 0; before--) at = forward_order[before].CirclesThrough(at, inverse: true);
                found.AddRange(at.Where(c => !found.Contains(c) && CirclesThrough([c]).Count > 0));
            }
        return found;
    }

    private static EventShape? FirstShape(IReadOnlyList<Bijection> layers)
    {
        Internal.Check.Items(layers, nameof(layers), "Layer");
        if (layers.Count == 0) throw new ArgumentException("A chain needs at least one layer; got none.", nameof(layers));
        if (layers.Distinct(ReferenceEqualityComparer.Instance).Count() != layers.Count)
            throw new ArgumentException("A chain holds each layer once; the same object came twice. Make a second layer instead.", nameof(layers));
        EventShape? first = null, current = null;
        for (var i = 0; i < layers.Count; i++)
        {
            var wanted = layers[i].InputShape;
            if (current is { } c && wanted is { } w && !Compatible(w, c))
                throw new ArgumentException($"Layer {i} ({layers[i].GetName()}) takes examples of shape {w}, but layer {i - 1} ({layers[i - 1].GetName()}) gives {c}.", nameof(layers));
            if (current is null || (wanted is { } fix && fix.IsFixed)) current = wanted;
            // a layer that fixes the sizes fixes them for the layers before it too
            if (current is { } f && (first is null || (!first.Value.IsFixed && f.IsFixed))) first = layers.Take(i).Reverse().Aggregate(f, (shape, layer) => layer.InputShapeOf(shape));
            if (current is { } known) current = layers[i].OutputShapeOf(known);
        }
        return first;
    }

    private static bool Compatible(EventShape a, EventShape b) =>
        a.Count == b.Count && a.Zip(b).All(p => p.First == p.Second || p.First == -1 || p.Second == -1);
}
