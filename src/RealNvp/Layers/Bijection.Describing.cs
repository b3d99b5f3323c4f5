using RealNvp.Describing;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>What is printed of a layer.</content>
public abstract partial class Bijection
{
    /// <summary>The layer as a tree of its parts, each with its class, shapes, properties and number of parameters;
    /// <see cref="IDescribed"/> lets a part say it in its own words.</summary>
    public override string ToString() => ModuleTree.Of(this);

    bool IDescribed.ShowsParts => true;

    (EventShape? Input, EventShape? Output) IDescribed.ShapesFor(EventShape? given)
    {
        // a free size is that of what reaches the layer, if somebody knows it
        var known = InputShape is { IsFixed: true } own ? own : given ?? InputShape;
        return known is { } input ? (input, ModuleText.Try(() => (EventShape?)OutputShapeOf(input))) : default((EventShape?, EventShape?));
    }
}
