namespace RealNvp;

/// <summary>How odd one column of a row is, given the other columns of that row.</summary>
public sealed record FeatureSurprise
{
    /// <summary>The name of the column, or its number.</summary>
    public required string Column { get; init; }

    /// <summary>The value in the row.</summary>
    public required double Value { get; init; }

    /// <summary>The value that gives the row its lowest score beside the other values; of <see cref="AnomalyScoreKind.Density"/>
    /// the likeliest one.</summary>
    public required double Expected { get; init; }

    /// <summary>
    /// How many nats the score of the row would fall by with <see cref="Expected"/> in this column; 0 or more. Of
    /// <see cref="AnomalyScoreKind.Density"/> it is log p(expected | others) − log p(value | others). Infinite if the score of the row is,
    /// and would not be with <see cref="Expected"/>.
    /// </summary>
    public required double Surprise { get; init; }

    /// <summary>The probability, given the other columns, of a value that is as unlikely or more, in [0, 1]; 1 if no value makes the row
    /// one that a density reaches.</summary>
    public required double TailProbability { get; init; }

    /// <summary>∂score/∂value, in nats per unit of the column: positive if a higher value would be odder still; 0 if the score is
    /// infinite.</summary>
    public required double Gradient { get; init; }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(FeatureSurprise), PrintMembers);
}
