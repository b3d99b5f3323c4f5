namespace RealNvp;

/// <summary>How well a flow does on validation data by an <see cref="Objective"/>.</summary>
public sealed record ObjectiveScore
{
    /// <summary>The mean loss, weighted if there are weights; smaller is
    /// better. Plus infinity if that of an example is; never NaN.</summary>
    public required double Loss { get; init; }

    /// <summary>The sum of the weights of the examples; their number without weights.</summary>
    public required double Weight { get; init; }

    /// <summary>The number of examples whose loss is plus infinity; null if examples have no losses of their own.</summary>
    /// <remarks>An epoch with fewer of them is better; with as many, <see cref="FiniteLoss"/> decides.</remarks>
    public long? InfiniteCount { get; init; }

    /// <summary>The mean loss of the other examples; null if there are none, or if examples have no losses of their own.</summary>
    public double? FiniteLoss { get; init; }

    /// <summary>The sum of the weights of the examples of <see cref="FiniteLoss"/>; null if a score does not say.</summary>
    internal double? FiniteWeight { get; init; }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(ObjectiveScore), PrintMembers);
}
