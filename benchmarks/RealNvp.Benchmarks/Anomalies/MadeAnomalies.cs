namespace RealNvp.Benchmarks.Anomalies;

/// <summary>Anomalies made of ordinary rows, of the kinds of ADBench (Han et al., NeurIPS 2022, section 3.3),
/// for tables without labels: defaults are chosen on these.</summary>
internal static class MadeAnomalies
{
    private const double Share = 0.1;

    public static IReadOnlyList<string> Kinds { get; } = ["moved", "mixed", "scaled", "uniform"];

    /// <summary>A table whose last rows are anomalies.</summary>
    /// <param name="name">What the table is called.</param>
    /// <param name="rows">Ordinary rows.</param>
    /// <param name="kind">moved: one value 3 deviations away. mixed: half of the columns of another row, so that columns do not belong
    /// together. scaled: all deviations from the mean twice as large. uniform: each value anywhere in its column's middle 98 %.</param>
    /// <param name="random">Decides the rest.</param>
    public static AnomalyTable Of(string name, double[][] rows, string kind, Random random)
    {
        var columns = Enumerable.Range(0, rows[0].Length).Select(c => rows.Select(r => r[c]).Order().ToArray()).ToArray();
        var mean = columns.Select(c => c.Average()).ToArray();
        var deviation = columns.Select((c, i) => Math.Sqrt(c.Sum(v => Math.Pow(v - mean[i], 2)) / c.Length)).ToArray();
        var count = (int)(rows.Length * Share);
        var made = new double[count][];
        for (var i = 0; i < count; i++)
        {
            var row = (double[])rows[random.Next(rows.Length)].Clone();
            var other = rows[random.Next(rows.Length)];
            made[i] = Changed(row, other, kind, columns, mean, deviation, random);
        }
        return new($"{name}-{kind}", [.. rows, .. made], [.. rows.Select(_ => false), .. made.Select(_ => true)]);
    }

    private static double[] Changed(double[] row, double[] other, string kind, double[][] columns, double[] mean, double[] deviation,
        Random random)
    {
        if (kind == "moved")
        {
            var c = random.Next(row.Length);
            row[c] += (random.Next(2) == 0 ? 3 : -3) * deviation[c];
            return row;
        }
        for (var c = 0; c < row.Length; c++)
            row[c] = kind switch
            {
                "mixed" => random.Next(2) == 0 ? other[c] : row[c],
                "scaled" => mean[c] + (2 * (row[c] - mean[c])),
                _ => columns[c][(int)(0.01 * columns[c].Length)] + (random.NextDouble() * (columns[c][(int)(0.99 * columns[c].Length)] -
                    columns[c][(int)(0.01 * columns[c].Length)])),
            };
        return row;
    }
}
