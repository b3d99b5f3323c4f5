using RealNvp.Benchmarks.Presets;

namespace RealNvp.Reproduce;

/// <summary>The data sets, each below the folder of all data in a folder of its name.</summary>
internal static class DataSets
{
    public static DataSet Bsds300 { get; } = new("BSDS300", "Random 8×8 patches of the grey images, uniform noise, divided by 256, less their mean, the last pixel " +
        "dropped: 63 features; 1,000,000 patches to train on, 50,000 to validate, 250,000 for the test, as in the papers, of the same images, drawn " +
        "anew (their draw is not public).", RealNvp.Reproduce.Bsds300.Load)
    { PaperGaussian = 96.67 };

    public static DataSet Power { get; } = new("POWER", "37,283 minutes of one winter, of 2,049,280: 6 features, noise as wide as the meters' steps, " +
        "shuffled, a tenth for the test and a tenth of the rest to validate, standardized. Not the papers' rows.", folder =>
    {
        var random = new Random(42);
        var rows = Shuffled(NpyTable.Read(Path.Combine(folder, "power", "power-raw8-first37283.npy.gz")), random);
        // active power, voltage, three meters, minute of the day, as the MAF paper's code has them
        var noisy = Array.ConvertAll(rows, r => new[]
        {
            r[0] + (0.001 * random.NextDouble()), r[2] + (0.01 * random.NextDouble()), r[4] + random.NextDouble(), r[5] + random.NextDouble(),
            r[6] + random.NextDouble(), r[7],
        });
        return Splits.Of(noisy, 0.1, 0.1).Standardized();
    });

    public static DataSet Gas { get; } = new("GAS", "30,000 rows of 8 features, standardized: a third to train on, to validate and for the test. Not the " +
        "papers' rows.", folder => new(Gas8(folder, "train"), Gas8(folder, "valid"), Gas8(folder, "test")));

    public static DataSet Miniboone { get; } = new("MINIBOONE", "6,932 events of 36,488, 43 features, standardized: 2,955 to train on, 329 to validate, 3,648 " +
        "for the test. Not the papers' rows.", folder =>
    {
        var rows = Shuffled(NpyTable.Read(Path.Combine(folder, "miniboone", "miniboone43-random-a-3284.npy.gz")), new Random(42));
        var held = rows.Length / 10;
        return new(Splits.Rows(rows[held..]), Splits.Rows(rows[..held]),
            Splits.Rows(NpyTable.Read(Path.Combine(folder, "miniboone", "miniboone43-random-b-3648.npy.gz"))));
    });

    public static DataSet Protein { get; } = new("Protein", "UCI's protein structures: 45,730 rows of 10 features, uniform noise on the whole numbers, shuffled, " +
        "a tenth for the test and a tenth of the rest to validate, standardized.", folder =>
    {
        var random = new Random(42);
        var rows = Shuffled(NpyTable.Read(Path.Combine(folder, "uci-protein", "protein.npy.gz")), random);
        foreach (var row in rows) row[7] += random.NextDouble();
        return Splits.Of(rows, 0.1, 0.1).Standardized();
    });

    private static TorchSharp.torch.Tensor Gas8(string folder, string part) =>
        Splits.Rows(NpyTable.Read(Path.Combine(folder, "gas", $"gas8-{part}-10000.npy.gz")));

    private static double[][] Shuffled(double[][] rows, Random random)
    {
        random.Shuffle(rows);
        return rows;
    }
}
