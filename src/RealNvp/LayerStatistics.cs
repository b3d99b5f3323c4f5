namespace RealNvp;

/// <summary>What one layer of a flow did with rows of data: where a flow
/// goes wrong, its numbers grow, shrink, or stop being numbers.</summary>
/// <remarks><see cref="Flow.MeasureLayers"/> gives one for each layer.</remarks>
public sealed record LayerStatistics
{
    /// <summary>Where the layer is, as the keys of its weights begin in a state dict, such as <c>bijection.layers.2</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Its class.</summary>
    public required string Type { get; init; }

    /// <summary>How many layers it is inside of.</summary>
    public required int Depth { get; init; }

    /// <summary>Whether it only applies other layers, which have statistics of their own.</summary>
    public required bool IsComposite { get; init; }

    /// <summary>Its log-determinants, one for each row, in nats, in the direction
    /// from data to latents; null if no row went through it.</summary>
    public required NumberSummary? LogDet { get; init; }

    /// <summary>The values that it gave, all elements of all rows; null if no row went through it.</summary>
    public required NumberSummary? Output { get; init; }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(LayerStatistics), PrintMembers);
}
