namespace RealNvp;

/// <summary>One layer in a <see cref="FlowSummary"/>.</summary>
public sealed class LayerSummary
{
    internal LayerSummary() { }

    /// <summary>Where the layer is, as the keys of its weights begin in a state dict, such as <c>bijection.layers.2</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Its class.</summary>
    public required string Type { get; init; }

    /// <summary>What it says of itself, such as <c>Mask = keeps 2 of 5</c>; empty for nothing.</summary>
    public required string Description { get; init; }

    /// <summary>How many layers it is inside of.</summary>
    public required int Depth { get; init; }

    /// <summary>Whether it only applies other layers, which have rows of their own.</summary>
    public required bool IsComposite { get; init; }

    /// <summary>The shape of what it takes; null if it takes any.</summary>
    public required EventShape? InputShape { get; init; }

    /// <summary>The shape of what it gives; null if that is not known.</summary>
    public required EventShape? OutputShape { get; init; }

    /// <summary>The number of its parameters, those of its parts included.</summary>
    public required long Parameters { get; init; }

    /// <summary>The mean over the rows of its log-determinant, in nats, from
    /// data to latents; null if no rows were taken through it.</summary>
    public required double? MeanLogDet { get; init; }

    /// <summary>How much of all that layers do to the volume it does, in 0 ... 1: |mean log-determinant| by
    /// the sum of those of all layers that are no composites; null without rows.</summary>
    public required double? LogDetShare { get; init; }

    /// <summary>Whether its way from data to latents takes about one pass.</summary>
    public required bool HasFastForward { get; init; }

    /// <summary>Whether its way from latents to data takes about one pass.</summary>
    public required bool HasFastInverse { get; init; }
}
