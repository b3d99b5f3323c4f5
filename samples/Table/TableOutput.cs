using System.Globalization;
using RealNvp.Plotting;
using static TorchSharp.torch;

namespace RealNvp.Samples.Table;

/// <summary>Writes the scores as a table and as a picture.</summary>
internal static class TableOutput
{
    public static void Write(TableSplit split, double[] scores, string folder)
    {
        var set = new string[split.Rows];
        foreach (var (rows, name) in new[] { (split.Training, "training"), (split.Validation, "validation"), (split.Test, "held out"),
            (split.Anomalies, "anomaly") })
            foreach (var row in rows) set[row] = name;
        File.WriteAllLines(Path.Combine(folder, "scores.csv"),
            ["line,log_density,set",
                .. scores.Select((s, row) => string.Create(CultureInfo.InvariantCulture, $"{split.Lines[row]},{-s:R},{set[row]}"))]);

        var labelled = split.Anomalies.Length > 0;
        // a row without density lies beyond any score; the picture counts it at the end
        var finite = scores.Where(double.IsFinite).DefaultIfEmpty(0).Max();
        double[] Drawn(int[] rows) => Array.ConvertAll(rows, r => double.IsFinite(scores[r]) ? scores[r] : finite);
        using var first = tensor(Drawn(labelled ? split.Test : split.Training));
        using var second = tensor(Drawn(labelled ? split.Anomalies : split.Test));
        // anomalies may score a million; the picture shows where the normal rows end, and counts what lies far beyond
        var (least, most) = (first.min().item<double>(), first.max().item<double>());
        new ScoreHistogram(first, second, new()
        {
            Title = labelled ? "held-out normal rows, and anomalies" : "rows of the training and held-out rows",
            FirstLabel = labelled ? "normal, held out" : "training",
            SecondLabel = labelled ? "anomaly" : "held out",
            Largest = most + Math.Max(1, 2 * (most - least)),
        }).Save(Path.Combine(folder, "scores.png"));
    }
}
