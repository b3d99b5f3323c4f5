namespace RealNvp;

/// <summary>What many numbers are like. All but <see cref="NotFinite"/> is of those that are finite; NaN if none is.</summary>
public sealed record NumberSummary
{
    /// <summary>How many numbers are finite.</summary>
    public required long Count { get; init; }

    /// <summary>How many are NaN or infinite.</summary>
    public required long NotFinite { get; init; }

    /// <summary>The mean.</summary>
    public required double Mean { get; init; }

    /// <summary>The standard deviation, dividing by the number of numbers.</summary>
    public required double StandardDeviation { get; init; }

    /// <summary>The smallest.</summary>
    public required double Smallest { get; init; }

    /// <summary>The largest.</summary>
    public required double Largest { get; init; }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(NumberSummary), PrintMembers);
}
