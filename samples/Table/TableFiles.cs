using System.Globalization;
using RealNvp.Plotting;
using static TorchSharp.torch;

namespace RealNvp.Samples.Table;

/// <summary>Writes the scores as a table and as a picture.</summary>
internal static class TableFiles
{
    public static void Write(TableSplit split, double[] scores, string folder)
    {
        var set = new string[split.Rows];
        foreach (var (rows, name) in new[] { (split.Training, "training"), (split.Validation, "validation"), (split.Test, "held out"), (split.Anomalies, "anomaly") })
            foreach (var row in rows) set[row] = name;
        File.WriteAllLines(Path.Combine(folder, "scores.csv"),
            ["line,log_density,set", .. scores.Select((s, row) => string.Create(CultureInfo.InvariantCulture, $"{row + 2},{-s:R},{set[row]}"))]);

        var labelled = split.Anomalies.Length > 0;
        using var first = tensor(Array.ConvertAll(labelled ? split.Test : split.Training, r => scores[r]));
        using var second = tensor(Array.ConvertAll(labelled ? split.Anomalies : split.Test, r => scores[r]));
        // anomalies may score a million; the picture shows where the normal rows end, and counts what lies far beyond
        var (least, most) = (first.min().item<double>(), first.max().item<double>());
        new ScoreHistogram(first, second, new()
        {
            Title = labelled ? $"held-out rows with {split.Label} = 0, and rows with {split.Label} = 1" : "rows of the training and held-out rows",
            FirstLabel = labelled ? "normal, held out" : "training",
            SecondLabel = labelled ? "anomaly" : "held out",
            Largest = most + Math.Max(1, 2 * (most - least)),
        }).Save(Path.Combine(folder, "scores.png"));
    }
}
