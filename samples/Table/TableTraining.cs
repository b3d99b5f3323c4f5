using RealNvp.Samples.Common;
using static TorchSharp.torch;

namespace RealNvp.Samples.Table;

/// <summary>Without a command: fits a flow to a table, compares it, ranks the rows, and writes model, scores and pictures.</summary>
internal sealed class TableTraining
{
    public const string ModelFile = "model.safetensors";

    public string? Csv { get; init; }

    public CsvOptions Reading { get; init; } = new();

    public string? Label { get; init; }

    public IReadOnlyList<string> Normal { get; init; } = [];

    public IReadOnlyList<string> Ignore { get; init; } = [];

    public string Model { get; init; } = TableModels.Default;

    public int? Hidden { get; init; }

    public int? Epochs { get; init; }

    public int? Batch { get; init; }

    public int? Patience { get; init; }

    public TimeSpan Time { get; init; }

    public required string Device { get; init; }

    public required string Output { get; init; }

    public int Seed { get; init; }

    /// <summary>Other processes that train with this one; null for none.</summary>
    public IGradientExchange? Exchange { get; init; }

    public int Run()
    {
        // what the command line alone can get wrong comes before any work
        TableModels.Options(Model, 2, 1000, Hidden);
        if (Label is null && Csv is not null && Normal.Count > 0)
            throw new ArgumentException("--normal names classes of a label; say with --label which column that is.");
        TorchBackend.EnsureAvailable();
        var device = SampleProgram.DeviceOf(Device);
        // on networks this small, several threads mostly wait for each other
        set_num_threads(1);
        var path = Csv ?? SampleData.Vowels;
        var label = Csv is null ? Label ?? "other_speaker" : Label;
        var file = Common.Csv.Open(path, Reading);
        foreach (var note in file.Notes) Console.WriteLine(note);
        using var split = TableSplit.Of(file, label, Normal, Ignore, Seed, Console.WriteLine);
        Directory.CreateDirectory(Output);
        Console.WriteLine($"{path}: {split.Rows} rows, {split.Columns.Count} features");
        Console.WriteLine(
            $"{split.Training.Length} rows to train on, {split.Validation.Length} for early stopping, {split.Test.Length} held out"
            + (split.Anomalies.Length > 0 ? $", {split.Anomalies.Length} anomalies for the ranking alone" : ""));

        using var model = TableModel.Train(split, this, device);
        // process 0 writes what all have learned
        if (Exchange is { Rank: > 0 }) return 0;
        var scores = TableModel.Scores(model, split.Values, device);
        TableFile.Of(split.Columns, split.Test.Select(r => -scores[r])).Save(model, Path.Combine(Output, ModelFile));
        Comparison.Report(split, scores, Seed);
        Ranking.Report(split.Lines, scores, split.IsAnomaly, row => split.Deviations(row).Select((z, i) => (split.Columns[i], z)));
        TableOutput.Write(split, scores, Output);
        Console.WriteLine($"\nWritten to {Output}: {ModelFile}, scores.csv, scores.png, training.png");
        Console.WriteLine($"Score new rows: score --load {Path.Combine(Output, ModelFile)} --data new.csv --out scores.csv");
        return 0;
    }
}
