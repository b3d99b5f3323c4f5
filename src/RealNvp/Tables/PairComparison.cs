namespace RealNvp;

/// <summary>How the dependence of two columns differs between two tables.</summary>
public sealed record PairComparison
{
    /// <summary>The one column, and its category if it has such.</summary>
    public required string First { get; init; }

    /// <summary>The other column, and its category if it has such.</summary>
    public required string Second { get; init; }

    /// <summary>The correlation in the data, in [−1, 1]: of ranks of numbers, and of 1 and 0 for a category and the others.</summary>
    public required double InData { get; init; }

    /// <summary>The same in the samples.</summary>
    public required double InSamples { get; init; }

    /// <summary>How far apart the two are.</summary>
    public double Difference => Math.Abs(InData - InSamples);

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(PairComparison), PrintMembers);
}
