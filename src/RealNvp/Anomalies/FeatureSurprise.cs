namespace RealNvp;

/// <summary>How odd one column of a row is, given the other columns of that row.</summary>
public sealed record FeatureSurprise
{
    /// <summary>The name of the column, or its number.</summary>
    public required string Column { get; init; }

    /// <summary>The value in the row.</summary>
    public required double Value { get; init; }

    /// <summary>The value that would be most likely beside the other values of the row.</summary>
    public required double Expected { get; init; }

    /// <summary>
    /// How many nats the score of the row would fall by with <see cref="Expected"/> in this column: the difference of the conditional
    /// log-densities log p(expected | others) − log p(value | others); 0 or more. Infinite if no density reaches the row.
    /// </summary>
    public required double Surprise { get; init; }

    /// <summary>The probability, given the other columns, of a value that is as unlikely or more, in [0, 1].</summary>
    public required double TailProbability { get; init; }

    /// <summary>∂(−log p)/∂value, in nats per unit of the column: positive if a higher value would be odder still.</summary>
    public required double Gradient { get; init; }
}
