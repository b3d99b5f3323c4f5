using RealNvp.Internal;

namespace RealNvp;

/// <summary>Whether N values that are uniform under a right density are: their empirical distribution function in a band.</summary>
/// <remarks>
/// The band is simultaneous: under the right density the whole function stays inside with the probability 1 − level, computed exactly.
/// The p-value belongs to it: it is at or below the level just if a point of the function is outside (up to points that
/// are equally odd).
/// </remarks>
public sealed record UniformityTest
{
    /// <summary>What was looked at, such as a parameter.</summary>
    public required string Name { get; init; }

    /// <summary>N, the number of values.</summary>
    public required int Count { get; init; }

    /// <summary>L if the values are ranks among L draws; 0 if they are numbers of 0 ... 1.</summary>
    public required int Draws { get; init; }

    /// <summary>The points at which the function was looked at, rising, in 0 ... 1.</summary>
    public required IReadOnlyList<double> Points { get; init => field = Listed<double>.Of(value)!; }

    /// <summary>The share of the values below each point.</summary>
    public required IReadOnlyList<double> Observed { get; init => field = Listed<double>.Of(value)!; }

    /// <summary>The lower end of the band at each point.</summary>
    public required IReadOnlyList<double> Lower { get; init => field = Listed<double>.Of(value)!; }

    /// <summary>The upper end of the band at each point.</summary>
    public required IReadOnlyList<double> Upper { get; init => field = Listed<double>.Of(value)!; }

    /// <summary>The mean of the values as numbers of 0 ... 1; 0.5 if they are uniform.</summary>
    public required double Mean { get; init; }

    /// <summary>The mean distance from ½, times 2; 0.5 if they are uniform, more if they lie at the ends, less if in the middle.</summary>
    public required double Spread { get; init; }

    /// <summary>The probability of a function that leaves its place as far, or farther, under the right density.</summary>
    public required double PValue { get; init; }

    /// <summary>The share of the values that are below a point of 0 ... 1, between the points that were looked at by a line.</summary>
    /// <param name="point">In 0 ... 1.</param>
    public double ShareBelow(double point)
    {
        if (!(point is >= 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(point), point, "A point is in 0 ... 1.");
        var (left, below) = (0.0, 0.0);
        for (var i = 0; i <= Points.Count; i++)
        {
            var (right, above) = i < Points.Count ? (Points[i], Observed[i]) : (1, 1);
            if (point <= right) return right > left ? below + ((above - below) * (point - left) / (right - left)) : above;
            (left, below) = (right, above);
        }
        return 1;
    }

    internal static UniformityTest Of(string name, ReadOnlySpan<int> bins, UniformBand band, int draws, double mean, double spread,
        double level)
    {
        var count = 0;
        foreach (var bin in bins) count += bin;
        var accepted = band.Accepted(level);
        var observed = new double[accepted.Length];
        var sum = 0;
        for (var k = 0; k < observed.Length; k++) observed[k] = (sum += bins[k]) / (double)count;
        return new()
        {
            Name = name, Count = count, Draws = draws, Points = band.Points, Observed = observed,
            Lower = Array.ConvertAll(accepted, a => a.Low / (double)count), Upper = Array.ConvertAll(accepted, a => a.High / (double)count),
            Mean = mean, Spread = spread, PValue = band.PValue(band.Oddest(bins)),
        };
    }

    // in standard deviations of the mean of so many uniform values; the variance of both is 1/12
    internal double Shift => (Mean - 0.5) * Math.Sqrt(12.0 * Count);

    internal double Width => (Spread - 0.5) * Math.Sqrt(12.0 * Count);

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(UniformityTest), PrintMembers);
}
