using System.Globalization;
using RealNvp.Internal;
using RealNvp.Tables;

namespace RealNvp;

/// <summary>Samples beside data: each column by itself, and each pair of columns.</summary>
/// <remarks><c>Console.WriteLine(TableComparison.Of(table, flow.Sample(table.RowCount)));</c> Missing cells are left out, pair by
/// pair.</remarks>
public sealed class TableComparison
{
    private const int Shown = 5;

    private TableComparison(IReadOnlyList<ColumnComparison> columns, IReadOnlyList<PairComparison> pairs, double noise) =>
        (Columns, Pairs, PairNoise) = (Listed<ColumnComparison>.Of(columns)!, Listed<PairComparison>.Of(pairs)!, noise);

    /// <summary>The columns that both tables have.</summary>
    public IReadOnlyList<ColumnComparison> Columns { get; }

    /// <summary>The pairs of columns, or of their categories, those that differ most first.</summary>
    public IReadOnlyList<PairComparison> Pairs { get; }

    /// <summary>The standard deviation of the difference of two correlations near 0, of samples of one distribution as large as
    /// these.</summary>
    public double PairNoise { get; }

    /// <summary>Compares.</summary>
    /// <param name="data">The data.</param>
    /// <param name="samples">Samples of a density of them.</param>
    /// <exception cref="ArgumentException">No column is in both, one is of another kind, or a table is empty.</exception>
    public static TableComparison Of(Table data, Table samples)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(samples);
        if (data.RowCount == 0 || samples.RowCount == 0) throw new ArgumentException("Both tables need rows.", nameof(samples));
        string[] names = [.. data.Names.Where(n => samples.Find(n) is not null)];
        if (names.Length == 0) throw new ArgumentException("The tables have no column in common.", nameof(samples));
        foreach (var name in names)
            if (data[name].Kind != samples[name].Kind)
                throw new ArgumentException($"Column '{name}' is {data[name].Kind} in the data and {samples[name].Kind} in the samples.",
                    nameof(samples));
        var noise = Math.Sqrt((1.0 / data.RowCount) + (1.0 / samples.RowCount));
        var features = names.Select(n => Features(n, data[n], samples[n])).ToArray();
        var pairs = new List<PairComparison>();
        for (var i = 0; i < features.Length; i++)
            for (var j = i + 1; j < features.Length; j++)
                foreach (var (first, a, b) in features[i])
                    foreach (var (second, c, d) in features[j])
                        pairs.Add(new() { First = first, Second = second, InData = Correlation(a, c), InSamples = Correlation(b, d) });
        return new([.. names.Select(n => new ColumnComparison { Column = n, Distance = Distance(data[n], samples[n]),
            Noise = Noise(data[n], noise) })], [.. pairs.OrderByDescending(p => p.Difference)], noise);
    }

    /// <summary>A line for each column, and for the pairs that differ most.</summary>
    public override string ToString() => string.Join('\n', [
        .. Columns.Select(c => string.Create(CultureInfo.InvariantCulture,
            $"{c.Column}: differs by {c.Distance:F3}, by chance {c.Noise:F3}")),
        .. Pairs.Take(Shown).Select(p => string.Create(CultureInfo.InvariantCulture,
            $"{p.First} and {p.Second}: correlation {Rounded(p.InData):F2} in the data, {Rounded(p.InSamples):F2} in the samples")),
        string.Create(CultureInfo.InvariantCulture,
            $"{Pairs.Count:N0} pairs differ by {(Pairs.Count == 0 ? 0 : Pairs.Average(p => p.Difference)):F3} in the mean, by chance " +
                $"{PairNoise * Math.Sqrt(2 / Math.PI):F3}")]);

    private static double Distance(TableColumn data, TableColumn samples)
    {
        if (data.Kind != TableCellKind.Number)
        {
            var (p, q) = (Shares(data), Shares(samples));
            return 0.5 * p.Keys.Union(q.Keys).Sum(k => Math.Abs(p.GetValueOrDefault(k) - q.GetValueOrDefault(k)));
        }
        var (a, b) = (new ColumnValues(data.ToNumbers()).Sorted, new ColumnValues(samples.ToNumbers()).Sorted);
        if (a.Length == 0 || b.Length == 0) return a.Length == b.Length ? 0 : 1;
        var (i, j, most) = (0, 0, 0.0);
        while (i < a.Length && j < b.Length)
        {
            var value = Math.Min(a[i], b[j]);
            while (i < a.Length && a[i] <= value) i++;
            while (j < b.Length && b[j] <= value) j++;
            most = Math.Max(most, Math.Abs(((double)i / a.Length) - ((double)j / b.Length)));
        }
        return most;
    }

    // the mean of Kolmogorov's distribution is 0.8687; that of half a sum of differences of shares is by the normal law
    private static double Noise(TableColumn data, double noise) => data.Kind == TableCellKind.Number ? 0.8687 * noise
        : noise * Math.Sqrt(0.5 / Math.PI) * Shares(data).Values.Sum(p => Math.Sqrt(p * (1 - p)));

    private static Dictionary<string, double> Shares(TableColumn column)
    {
        var known = column.ToTexts().OfType<string>().ToArray();
        return known.CountBy(t => t, StringComparer.Ordinal).ToDictionary(c => c.Key, c => (double)c.Value / known.Length,
            StringComparer.Ordinal);
    }

    // no minus before 0.00
    private static double Rounded(double correlation) => Math.Round(correlation, 2) + 0.0;

    // what correlations are of, in both tables: ranks, or whether it is a category
    private static List<(string Name, double[] Data, double[] Samples)> Features(string name, TableColumn data, TableColumn samples)
    {
        if (data.Kind == TableCellKind.Number) return [(name, Ranks(data.ToNumbers()), Ranks(samples.ToNumbers()))];
        string[] categories = [.. data.ToTexts().OfType<string>().Distinct().Order(StringComparer.Ordinal)];
        // of two categories one says all
        return [.. categories.Take(categories.Length == 2 ? 1 : categories.Length)
            .Select(c => ($"{name} = {c}", Is(data, c), Is(samples, c)))];
    }

    private static double[] Is(TableColumn column, string category) =>
        Array.ConvertAll(column.ToTexts(), t => t is null ? double.NaN : t == category ? 1.0 : 0);

    // the middle rank of equal ones
    private static double[] Ranks(double[] values)
    {
        var sorted = new ColumnValues(values).Sorted;
        var ranks = sorted.Index().GroupBy(v => v.Item).ToDictionary(g => g.Key, g => g.Average(v => (double)v.Index));
        return Array.ConvertAll(values, v => double.IsNaN(v) ? double.NaN : ranks[v]);
    }

    private static double Correlation(double[] x, double[] y)
    {
        int[] both = [.. Enumerable.Range(0, x.Length).Where(i => !double.IsNaN(x[i]) && !double.IsNaN(y[i]))];
        if (both.Length == 0) return 0;
        var (meanX, meanY) = (both.Average(i => x[i]), both.Average(i => y[i]));
        var (xx, yy, xy) = (0.0, 0.0, 0.0);
        foreach (var i in both)
        {
            var (dx, dy) = (x[i] - meanX, y[i] - meanY);
            (xx, yy, xy) = (xx + (dx * dx), yy + (dy * dy), xy + (dx * dy));
        }
        return xx > 0 && yy > 0 ? xy / Math.Sqrt(xx * yy) : 0;
    }
}
