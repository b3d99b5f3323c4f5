using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Table;

/// <summary>A table, parted at random into rows to train on, rows for early
/// stopping, held-out rows, and rows that are known anomalies.</summary>
internal sealed class TableSplit : IDisposable
{
    private const double TestPart = 0.25, ValidationPart = 0.15;
    private const int FewestRows = 8;

    private readonly double[,] deviations;

    private TableSplit(CsvTable features, IReadOnlyList<int> lines, bool[] isAnomaly, int[][] parts)
    {
        (Columns, Values, Lines, IsAnomaly) = (features.Columns, features.Values, lines, isAnomaly);
        (Training, Validation, Test, Anomalies) = (parts[0], parts[1], parts[2], parts[3]);
        using var scope = NewDisposeScope();
        var training = Select(Training);
        deviations = (double[,])((Values - training.mean([0])) / training.std(0)).data<double>().ToNDArray();
    }

    public IReadOnlyList<string> Columns { get; }

    /// <summary>float64 (N, D).</summary>
    public Tensor Values { get; }

    public int Rows => (int)Values.size(0);

    /// <summary>The line of each row in the file.</summary>
    public IReadOnlyList<int> Lines { get; }

    /// <summary>One a row; empty without a label.</summary>
    public bool[] IsAnomaly { get; }

    public int[] Training { get; }

    public int[] Validation { get; }

    public int[] Test { get; }

    public int[] Anomalies { get; }

    /// <summary>Takes the label and what has no density out of a table, and parts the rest.</summary>
    public static TableSplit Of(CsvFile file, string? label, IReadOnlyList<string> normalClasses, IReadOnlyList<string> ignore, int seed,
        Action<string> say)
    {
        var isAnomaly = label is null ? [] : Labels.Read(file, label, normalClasses, say);
        var normal = Enumerable.Range(0, file.Lines.Count).Where(r => label is null || !isAnomaly[r]).ToArray();
        if (normal.Length < FewestRows)
            throw new DataFormatException(
                $"{file.Path} has {normal.Length} {(label is null ? "" : "normal ")}rows to learn from; expected at least {FewestRows}.");
        int[] anomalies = [.. Enumerable.Range(0, file.Lines.Count).Except(normal)];
        new Random(seed).Shuffle(normal);
        var (test, validation) = ((int)Math.Ceiling(TestPart * normal.Length), (int)Math.Ceiling(ValidationPart * normal.Length));
        var training = normal[(test + validation)..];
        string[] leftOut = label is null ? [.. ignore] : [label, .. ignore];
        var features = file.ToTable(Features.Choose(file, leftOut, training, say));
        return new TableSplit(features, file.Lines, isAnomaly, [training, normal[test..(test + validation)], normal[..test], anomalies]);
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
}
