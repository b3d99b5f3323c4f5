using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Table;

/// <summary>A table, parted at random into rows to train on, rows for early stopping, held-out rows, and rows that are known anomalies.</summary>
internal sealed class TableSplit : IDisposable
{
    private const double TestPart = 0.25, ValidationPart = 0.15;
    private const int FewestRows = 8;

    private readonly double[,] deviations;

    private TableSplit(CsvTable features, string? label, bool[] isAnomaly, int seed)
    {
        (Columns, Values, Label, IsAnomaly) = (features.Columns, features.Values, label, isAnomaly);
        var normal = Enumerable.Range(0, Rows).Where(r => isAnomaly.Length == 0 || !isAnomaly[r]).ToArray();
        Anomalies = [.. Enumerable.Range(0, Rows).Except(normal)];
        if (normal.Length < FewestRows)
            throw new DataFormatException($"The table has {normal.Length} rows to learn from{(isAnomaly.Length > 0 ? $" (those with {label} = 0)" : "")}; expected at least {FewestRows}.");
        new Random(seed).Shuffle(normal);
        var (test, validation) = ((int)Math.Ceiling(TestPart * normal.Length), (int)Math.Ceiling(ValidationPart * normal.Length));
        Test = normal[..test];
        Validation = normal[test..(test + validation)];
        Training = normal[(test + validation)..];

        using var scope = NewDisposeScope();
        var training = Select(Training);
        var scale = training.std(0);
        for (var i = 0; i < Columns.Count; i++)
            if (scale[i].item<double>() is not > 0)
                throw new DataFormatException($"The column '{Columns[i]}' has one value in all training rows, so it has no density. Remove the column, or name it with --label.");
        deviations = (double[,])((Values - training.mean([0])) / scale).data<double>().ToNDArray();
    }

    public IReadOnlyList<string> Columns { get; }

    /// <summary>float64 (N, D).</summary>
    public Tensor Values { get; }

    public int Rows => (int)Values.size(0);

    public string? Label { get; }

    /// <summary>One a row; empty where no label of 0 and 1 is known.</summary>
    public bool[] IsAnomaly { get; }

    public int[] Training { get; }

    public int[] Validation { get; }

    public int[] Test { get; }

    public int[] Anomalies { get; }

    /// <summary>Reads a table and takes the label out of it.</summary>
    public static TableSplit Read(string path, string? label, int seed)
    {
        using var table = Csv.Read(path);
        var features = label is null ? new CsvTable(table.Columns, table.Values.clone()) : table.Without(label);
        try
        {
            if (features.Columns.Count < 2) throw new DataFormatException($"{path} has {features.Columns.Count} feature; a coupling needs at least 2.");
            return new TableSplit(features, label, label is null ? [] : Anomaly(table, label), seed);
        }
        catch
        {
            features.Dispose();
            throw;
        }
    }

    /// <summary>Copies rows: float64 (n, D), which the caller disposes.</summary>
    public Tensor Select(int[] rows)
    {
        using var index = tensor(Array.ConvertAll(rows, r => (long)r));
        return Values.index_select(0, index);
    }

    /// <summary>How many standard deviations each feature of a row is away from the mean of the training rows.</summary>
    public IEnumerable<double> Deviations(int row) => Enumerable.Range(0, Columns.Count).Select(i => deviations[row, i]);

    public void Dispose() => Values.Dispose();

    private static bool[] Anomaly(CsvTable table, string label)
    {
        using var column = table.Column(label);
        var values = column.data<double>().ToArray();
        return values.All(v => v is 0 or 1) && values.Contains(1) ? Array.ConvertAll(values, v => v == 1) : [];
    }
}
