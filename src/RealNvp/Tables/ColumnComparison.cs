namespace RealNvp;

/// <summary>How the values of one column differ between two tables.</summary>
public sealed record ColumnComparison
{
    /// <summary>The column.</summary>
    public required string Column { get; init; }

    /// <summary>Of numbers the largest difference of the two distribution functions (Kolmogorov and Smirnov), of texts and
    /// booleans half the sum of differences of shares; in [0, 1].</summary>
    public required double Distance { get; init; }

    /// <summary>What two samples of one distribution, as large as these, come to in the mean.</summary>
    public required double Noise { get; init; }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(ColumnComparison), PrintMembers);
}
