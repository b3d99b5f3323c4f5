using RealNvp.Internal;

namespace RealNvp.Tables;

/// <summary>What the numbers of a column are like: the numbers without missing ones, sorted, and which repeat.</summary>
internal sealed class ColumnValues
{
    // what repeats as often is no coincidence of rounding
    private const double AtomShare = 0.03, Neighbours = 8;
    private const int LeastRepeats = 5, MostAtoms = 8;
    private static readonly double[] steps = [1, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001];

    public ColumnValues(IEnumerable<double> values)
    {
        Sorted = [.. values.Where(v => !double.IsNaN(v)).Order()];
        Different = [.. Sorted.Distinct()];
    }

    /// <summary>All numbers, the least first.</summary>
    public double[] Sorted { get; }

    /// <summary>The different ones, the least first.</summary>
    public double[] Different { get; }

    public int Count => Sorted.Length;

    public double Least => Sorted[0];

    public double Most => Sorted[^1];

    /// <summary>The value below which a part of them is.</summary>
    public double Quantile(double part) => Sorted[(int)Math.Round(part * (Count - 1))];

    /// <summary>The deviation of a normal density with these quartiles; that of the numbers if the quartiles are one.</summary>
    public double Scale => Quantile(0.75) - Quantile(0.25) is > 0 and var middle ? middle / 1.349
        : Spread.Of(Sorted, Quantile(0.5));

    /// <summary>How far the outer percent reaches, in quartile distances; 3.5 for a normal density.</summary>
    public double TailRatio => Quantile(0.75) - Quantile(0.25) is > 0 and var middle ? (Quantile(0.995) - Quantile(0.005)) / middle
        : double.PositiveInfinity;

    /// <summary>The largest step of which all values are multiples; null if there is none of the usual ones.</summary>
    public double? Step()
    {
        foreach (var step in steps)
            if (Array.TrueForAll(Different, v => IsMultiple(v, step))) return step;
        return null;
    }

    /// <summary>Values that repeat far more often than those around them, the least first.</summary>
    public double[] Atoms()
    {
        var runs = Sorted.CountBy(v => v).ToArray();
        var usual = runs.Length == 0 ? 0 : runs.Select(r => r.Value).Order().ElementAt(runs.Length / 2);
        var least = Math.Max(Math.Max(LeastRepeats, AtomShare * Count), Neighbours * usual);
        return [.. runs.Where(r => r.Value >= least).OrderByDescending(r => r.Value).Take(MostAtoms).Select(r => r.Key).Order()];
    }

    /// <summary>Whether a number is a multiple of a step but for its last digits: 1e-12 is not 0, and 1700000000.25 is not whole.</summary>
    public static bool IsMultiple(double value, double step)
    {
        var steps = value / step;
        return Math.Abs(steps - Math.Round(steps)) <= Math.Min(1e-12 * Math.Abs(steps), 1e-3);
    }
}
