using System.Globalization;
using RealNvp.Samples.Common;
using static TorchSharp.torch;

namespace RealNvp.Samples.Table;

/// <summary>The command <c>score</c>: scores the rows of a table with a model that was trained before.</summary>
internal sealed class TableScoring
{
    private const double Rare = 0.99;

    public required string Load { get; init; }

    public required string Csv { get; init; }

    public CsvOptions Reading { get; init; } = new();

    public string? Label { get; init; }

    public IReadOnlyList<string> Normal { get; init; } = [];

    public required string Device { get; init; }

    public required string Output { get; init; }

    public int Run()
    {
        if (Label is null && Normal.Count > 0)
            throw new ArgumentException("--normal names classes of a label; say with --label which column that is.");
        TorchBackend.EnsureAvailable();
        var device = SampleProgram.DeviceOf(Device);
        set_num_threads(1);
        var (model, table) = TableFile.Load(Load, device);
        using (model)
        {
            var file = Common.Csv.Open(Csv, Reading);
            foreach (var note in file.Notes) Console.WriteLine(note);
            var isAnomaly = Label is null ? [] : Labels.Read(file, Label, Normal, Console.WriteLine);
            using var rows = file.ToTable(Columns(file, table, model.InputShape[0]));
            var scores = TableModel.Scores(model, rows.Values, device);
            Write(file, table, scores);
            Console.WriteLine($"{Csv}: {scores.Length} rows, {rows.Columns.Count} features, scored with {Load}");
            if (table is not null)
                Console.WriteLine(
                    $"{scores.Count(s => table.Unusual(-s) >= Rare)} rows are as unusual as the {1 - Rare:P0} least usual held-out rows " +
                    $"of the training table, or more.");
            if (isAnomaly.Length > 0) Comparison.Detect([("flow", scores)], isAnomaly);
            Ranking.Report(file.Lines, scores, isAnomaly, null);
            Console.WriteLine($"\nWritten to {Output}");
        }
        return 0;
    }

    // by name, whatever the order; what is not of the model is said
    private string[] Columns(CsvFile file, TableFile? table, long features)
    {
        var given = file.Columns.Select(c => c.Name).Where(n => n != Label).ToArray();
        if (table is null)
        {
            if (given.Length != features)
                throw new DataFormatException(
                    $"{Csv} has {given.Length} columns, but the model of {Load} has {features} features, and its file has no names of " +
                    $"columns. Give a table with just these columns, in the order of the training.");
            Console.WriteLine($"{Load} has no names of columns: the columns are taken in the order of the file.");
            return given;
        }
        var missing = table.Columns.Except(given).ToArray();
        if (missing.Length > 0)
            throw new DataFormatException(
                $"{Csv} lacks {missing.Length} of the {table.Columns.Count} columns of the training table: {Some(missing)}. It has " +
                $"{Some(given)}."
                + (file.HasHeader ? "" : " It has no header: add the names of the training table as its first line."));
        var others = given.Except(table.Columns).ToArray();
        if (others.Length > 0) Console.WriteLine($"Not of the model, and not used: {Some(others)}");
        if (!given.Where(table.Columns.Contains).SequenceEqual(table.Columns))
            Console.WriteLine("The columns stand in another order than in the training table; they are taken by name.");
        return [.. table.Columns];
    }

    private void Write(CsvFile file, TableFile? table, double[] scores)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(Output)) is { } folder) Directory.CreateDirectory(folder);
        File.WriteAllLines(Output, [$"line,log_density{(table is null ? "" : ",unusual")}",
            .. scores.Select((s, row) => string.Create(CultureInfo.InvariantCulture, $"{file.Lines[row]},{-s:R}") + (table is null ? ""
                : string.Create(CultureInfo.InvariantCulture, $",{table.Unusual(-s):F2}")))]);
    }

    private static string Some(string[] names) =>
        string.Join(", ", names.Take(10)) + (names.Length > 10 ? $" and {names.Length - 10} more" : "");
}
