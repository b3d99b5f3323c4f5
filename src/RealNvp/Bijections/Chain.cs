using RealNvp.Layers;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Bijections one after the other: z = fₖ(...f₂(f₁(x))). The log-determinants add up; the inverse runs backwards.</summary>
/// <remarks>The chain owns its layers: disposing the chain disposes them.</remarks>
public sealed class Chain : Composite
{
    private readonly TorchSharp.Modules.ModuleList<Bijection> layers;
    private readonly Bijection[] forwardOrder;

    /// <summary>Makes a chain of layers, the first being the one that meets the data.</summary>
    /// <param name="layers">At least one layer. Shapes are checked here: each layer must accept what the one before it gives.</param>
    /// <exception cref="ArgumentException">No layer, a layer twice, shapes that do not fit, or two different context sizes.</exception>
    public Chain(params IReadOnlyList<Bijection> layers) : base(nameof(Chain), FirstShape(layers))
    {
        StepPlan.CommonContext(layers, nameof(Chain), nameof(layers));
        forwardOrder = [.. layers];
        this.layers = new TorchSharp.Modules.ModuleList<Bijection>(forwardOrder);
        RegisterComponents();
    }

    /// <summary>The layers in the order of <see cref="Bijection.Forward(Tensor, Tensor)"/>.</summary>
    public IReadOnlyList<Bijection> Layers => forwardOrder;

    /// <inheritdoc/>
    public override IReadOnlyList<CompositeStep> Steps => [.. forwardOrder.Select(layer => CompositeStep.Apply(layer))];

    private static EventShape? FirstShape(IReadOnlyList<Bijection> layers)
    {
        Internal.Check.Items(layers, nameof(layers), "Layer");
        if (layers.Count == 0) throw new ArgumentException("A chain needs at least one layer; got none.", nameof(layers));
        if (layers.Distinct(ReferenceEqualityComparer.Instance).Count() != layers.Count)
            throw new ArgumentException("A chain holds each layer once; the same object came twice. Make a second layer instead.",
                nameof(layers));
        EventShape? first = null, current = null;
        for (var i = 0; i < layers.Count; i++)
        {
            var wanted = layers[i].InputShape;
            if (current is { } c && wanted is { } w && !Compatible(w, c))
                throw new ArgumentException(
                    $"Layer {i} ({layers[i].GetName()}) takes examples of shape {w}, but layer {i - 1} ({layers[i - 1].GetName()}) " +
                    $"gives {c}.", nameof(layers));
            if (current is null || (wanted is { } fix && fix.IsFixed)) current = wanted;
            // a layer that fixes the sizes fixes them for the layers before it too
            if (current is { } f && (first is null || (!first.Value.IsFixed && f.IsFixed)))
                first = layers.Take(i).Reverse().Aggregate(f, (shape, layer) => layer.InputShapeOf(shape));
            if (current is { } known) current = layers[i].OutputShapeOf(known);
        }
        return first;
    }

    private static bool Compatible(EventShape a, EventShape b) =>
        a.Count == b.Count && a.Zip(b).All(p => p.First == p.Second || p.First == -1 || p.Second == -1);
}
