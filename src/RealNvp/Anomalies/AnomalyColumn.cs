using System.Globalization;

namespace RealNvp;

/// <summary>A column of the rows of a detector.</summary>
public sealed record AnomalyColumn
{
    /// <summary>The name, or the number of the column.</summary>
    public required string Name { get; init; }

    /// <summary>What was found in it.</summary>
    public required ColumnKind Kind { get; init; }

    /// <summary>The width of the uniform noise that is added in training, in units of the column; 0 for none.</summary>
    public double Noise { get; init; }

    /// <summary>The value of a constant column; null for others.</summary>
    public double? Constant { get; init; }

    /// <summary>A sentence on what was done with the column; null if there is nothing to say.</summary>
    public string? Note => Kind switch
    {
        ColumnKind.Constant => string.Create(CultureInfo.InvariantCulture,
            $"Column {Name} is {Constant:G6} in all rows. It is left out; a row with another value is an anomaly."),
        ColumnKind.Repeating => string.Create(CultureInfo.InvariantCulture,
            $"Column {Name} has values that repeat. Uniform noise of width {Noise:G3} is added to them in training."),
        _ => null,
    };

    /// <summary>How much of a column may be values that another row has too, before it counts as repeating.</summary>
    internal const double MostRepeated = 0.05;

    // an atom among continuous numbers has no step: noise of this part of the deviation spreads it
    private const double LeastNoise = 0.005;

    /// <summary>Looks at a column.</summary>
    /// <param name="name">Its name, or number.</param>
    /// <param name="values">Finite numbers, at least one.</param>
    internal static AnomalyColumn Of(string name, double[] values)
    {
        var sorted = values.Order().ToArray();
        if (sorted[0] == sorted[^1]) return new() { Name = name, Kind = ColumnKind.Constant, Constant = sorted[0] };
        var groups = new List<(double Value, int Count)>();
        foreach (var value in sorted)
            if (groups.Count > 0 && groups[^1].Value == value) groups[^1] = (value, groups[^1].Count + 1);
            else groups.Add((value, 1));
        var repeated = groups.Where(g => g.Count > 1).Sum(g => g.Count) / (double)values.Length;
        return repeated <= MostRepeated ? new() { Name = name, Kind = ColumnKind.Continuous }
            : new() { Name = name, Kind = ColumnKind.Repeating, Noise = Math.Max(Step(groups), LeastNoise * Internal.Spread.Of(values)) };
    }

    // the median distance of neighbouring values, in which those that many rows have count more
    private static double Step(List<(double Value, int Count)> groups)
    {
        var gaps = groups.Zip(groups.Skip(1), (a, b) => (Gap: b.Value - a.Value, Weight: Math.Min(a.Count, b.Count)))
            .OrderBy(g => g.Gap).ToArray();
        var (half, seen) = (gaps.Sum(g => (long)g.Weight) / 2.0, 0L);
        foreach (var (gap, weight) in gaps)
            if ((seen += weight) >= half) return gap;
        return gaps[^1].Gap;
    }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(AnomalyColumn), PrintMembers);
}
