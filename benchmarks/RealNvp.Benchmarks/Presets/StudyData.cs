namespace RealNvp.Benchmarks.Presets;

/// <summary>A table as the study uses it: some rows to train on, held-out rows, and the same with
/// one value of each moved far out. In units of the training rows' standard deviation.</summary>
internal sealed class StudyData
{
    private const int MostHeldOut = 5000;
    private const double Far = 5;

    private StudyData(double[][] train, double[][] heldOut, double[][] moved) => (Train, HeldOut, Moved) = (train, heldOut, moved);

    public double[][] Train { get; }

    public double[][] HeldOut { get; }

    /// <summary>The held-out rows, with one value of each, chosen at random, 5 standard deviations away from where it was.</summary>
    public double[][] Moved { get; }

    public int Features => Train[0].Length;

    /// <summary>Cuts a table. Columns with few different values get uniform noise
    /// of their step, for a density of them has no bound otherwise.</summary>
    /// <param name="table">The rows.</param>
    /// <param name="rows">How many rows to train on, validation included.</param>
    /// <param name="seed">Chooses rows, noise and what is moved.</param>
    public static StudyData Of(double[][] table, int rows, int seed)
    {
        var random = new Random(seed);
        var all = table.Select(r => r.ToArray()).ToArray();
        random.Shuffle(all);
        for (var column = 0; column < all[0].Length; column++) Dequantize(all, column, random);
        var held = Math.Min(MostHeldOut, all.Length / 3);
        var train = all.Skip(held).Take(rows).ToArray();
        var heldOut = all.Take(held).ToArray();
        for (var column = 0; column < all[0].Length; column++)
        {
            var mean = train.Average(r => r[column]);
            var deviation = Math.Sqrt(train.Average(r => (r[column] - mean) * (r[column] - mean)));
            foreach (var row in train.Concat(heldOut)) row[column] = (row[column] - mean) / deviation;
        }
        var moved = heldOut.Select(r => r.ToArray()).ToArray();
        foreach (var row in moved) row[random.Next(row.Length)] += random.Next(2) == 0 ? Far : -Far;
        return new StudyData(train, heldOut, moved);
    }

    private static void Dequantize(double[][] rows, int column, Random random)
    {
        var values = rows.Select(r => r[column]).Distinct().Order().ToArray();
        if (values.Length > rows.Length / 2) return;
        var steps = values.Zip(values.Skip(1), (a, b) => b - a).Order().ToArray();
        var step = steps[steps.Length / 2];
        foreach (var row in rows) row[column] += step * random.NextDouble();
    }
}
