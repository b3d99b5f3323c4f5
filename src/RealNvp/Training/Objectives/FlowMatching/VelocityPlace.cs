using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Where in a flow the layer is that follows a velocity: what is before it
/// makes of data what it takes, and what is behind it is undone for latents.</summary>
internal sealed class VelocityPlace
{
    private readonly List<(Bijection Layer, bool IsInverse)> before = [], behind = [];

    private VelocityPlace(Bijection layer) => Layer = layer;

    /// <summary>The layer.</summary>
    public Bijection Layer { get; }

    /// <summary>Its velocity.</summary>
    public Dynamics Dynamics => ((IFollowsVelocity)Layer).Dynamics;

    /// <summary>Finds the place.</summary>
    /// <exception cref="ArgumentException">There is no such layer, or more
    /// than one, or it is where only parts of the data come.</exception>
    public static VelocityPlace Of(Flow flow, string owner)
    {
        var layers = flow.Bijection.modules().Append(flow.Bijection).OfType<IFollowsVelocity>().Cast<Bijection>().Distinct().ToArray();
        if (layers.Length != 1)
            throw new ArgumentException(
                $"{owner} trains a flow with one layer that follows a velocity ({nameof(IFollowsVelocity)}), such as that of a " +
                    $"continuous flow; the {flow.GetName()} has {layers.Length}.",
                nameof(flow));
        var place = new VelocityPlace(layers[0]);
        var found = false;
        place.Walk(flow.Bijection, isInverse: false, ref found, flow, owner);
        if (!found) throw place.Unreachable(flow, owner);
        return place;
    }

    /// <summary>What the layer gets of data.</summary>
    public Tensor Data(Tensor data, Pass pass)
    {
        foreach (var (layer, isInverse) in before) data = layer.Run(data, pass, isInverse).Value;
        return data;
    }

    /// <summary>What the layer must give for latents of the base density.</summary>
    public Tensor Latents(Tensor latents, Pass pass)
    {
        foreach (var (layer, isInverse) in Enumerable.Reverse(behind)) latents = layer.Run(latents, pass, !isInverse).Value;
        return latents;
    }

    private void Walk(Bijection part, bool isInverse, ref bool found, Flow flow, string owner)
    {
        if (ReferenceEquals(part, Layer))
        {
            if (isInverse)
                throw new ArgumentException(
                    $"{owner} needs the {part.GetName()} of the {flow.GetName()} in its own direction; it is turned round there.",
                    nameof(flow));
            found = true;
            return;
        }
        if (part is not Composite composite || !part.modules().Contains(Layer))
        {
            (found ? behind : before).Add((part, isInverse));
            return;
        }
        var steps = composite.Steps;
        if (steps.Any(s => s.Layer is null || s.Part != 0)) throw Unreachable(flow, owner);
        foreach (var step in isInverse ? steps.Reverse() : steps) Walk(step.Layer!, step.IsInverse != isInverse, ref found, flow, owner);
    }

    private ArgumentException Unreachable(Flow flow, string owner) => new(
        $"{owner} needs all of the data at the {Layer.GetName()} of the {flow.GetName()}; it is inside of a layer that parts them or " +
            $"hides it. Put it into a {nameof(Chain)}.", nameof(flow));
}
