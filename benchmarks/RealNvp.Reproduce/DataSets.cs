using RealNvp.Samples.Common;

namespace RealNvp.Reproduce;

/// <summary>The data sets, each below the folder of all data in a folder of its name.</summary>
internal static partial class DataSets
{
    public static DataSet Bsds300 { get; } = new("BSDS300",
        "Random 8×8 patches of the grey images, uniform noise, divided by 256, less their mean, the last pixel " +
        "dropped: 63 features; 50,000 patches to validate and 250,000 for the test, as in the papers, of the same images, drawn anew " +
            "(their draw is not here). Those to train on are drawn anew in each step, where the papers have 1,000,000.",
        [.. new[] { "images.tsv", "images-train-idx3-ubyte.br", "images-validation-idx3-ubyte.br", "images-test-idx3-ubyte.br" }
            .Select(f => $"bsds300/{f}")],
        RealNvp.Reproduce.Bsds300.Load)
    {
        PaperGaussian = 96.67,
        Origin = "The images are those of BSDS300 (Martin, Fowlkes, Tal and Malik, ICCV 2001; the folders train and val of BSDS500), " +
            "grey by ITU-R 601, upright ones " +
            "transposed; the README beside this program has the format. The papers' patches are BSDS300.hdf5 of " +
                "https://zenodo.org/records/1161203.",
    };

    private const string Uci =
        "It is a sample of a data set of https://archive.ics.uci.edu; the papers' rows are in https://zenodo.org/records/1161203, " +
        "and are others. The README beside this program has the format.";

    public static DataSet Power { get; } = new("POWER",
        "37,283 minutes of one winter, of 2,049,280: 6 features, noise as wide as the meters' steps, " +
        "shuffled, a tenth for the test and a tenth of the rest to validate, standardized. Not the papers' rows.",
        ["power/power-raw8-first37283.npy.gz"], folder =>
    {
        var random = new Random(42);
        var rows = Shuffled(NpyTable.Read(Path.Combine(folder, "power", "power-raw8-first37283.npy.gz")), random);
        // active power, voltage, three meters, minute of the day, as the MAF paper's code has them
        var noisy = Array.ConvertAll(rows, r => new[]
        {
            r[0] + (0.001 * random.NextDouble()), r[2] + (0.01 * random.NextDouble()), r[4] + random.NextDouble(),
                r[5] + random.NextDouble(),
            r[6] + random.NextDouble(), r[7],
        });
        return Splits.Of(noisy, 0.1, 0.1).Standardized();
    })
    { Origin = Uci };

    public static DataSet Gas { get; } = new("GAS",
        "30,000 rows of 8 features, standardized: a third to train on, to validate and for the test. Not the " +
        "papers' rows.", [.. new[] { "train", "valid", "test" }.Select(p => $"gas/gas8-{p}-10000.npy.gz")], folder =>
            new(Gas8(folder, "train"), Gas8(folder, "valid"), Gas8(folder, "test"))) { Origin = Uci };

    public static DataSet Miniboone { get; } = new("MINIBOONE",
        "6,932 events of 36,488, 43 features, standardized: 2,955 to train on, 329 to validate, 3,648 " +
        "for the test. Not the papers' rows.", ["miniboone/miniboone43-random-a-3284.npy.gz", "miniboone/miniboone43-random-b-3648.npy.gz"],
            folder =>
    {
        var rows = Shuffled(NpyTable.Read(Path.Combine(folder, "miniboone", "miniboone43-random-a-3284.npy.gz")), new Random(42));
        var held = rows.Length / 10;
        return new(Splits.Rows(rows[held..]), Splits.Rows(rows[..held]),
            Splits.Rows(NpyTable.Read(Path.Combine(folder, "miniboone", "miniboone43-random-b-3648.npy.gz"))));
    })
    { Origin = Uci };

    public static DataSet Protein { get; } = new("Protein",
        "UCI's protein structures: 45,730 rows of 10 features, uniform noise on the whole numbers, shuffled, " +
        "a tenth for the test and a tenth of the rest to validate, standardized.", ["uci-protein/protein.npy.gz"], folder =>
    {
        var random = new Random(42);
        var rows = Shuffled(NpyTable.Read(Path.Combine(folder, "uci-protein", "protein.npy.gz")), random);
        foreach (var row in rows) row[7] += random.NextDouble();
        return Splits.Of(rows, 0.1, 0.1).Standardized();
    })
    { Origin = Uci };

    private static TorchSharp.torch.Tensor Gas8(string folder, string part) =>
        Splits.Rows(NpyTable.Read(Path.Combine(folder, "gas", $"gas8-{part}-10000.npy.gz")));

    private static double[][] Shuffled(double[][] rows, Random random)
    {
        random.Shuffle(rows);
        return rows;
    }
}
