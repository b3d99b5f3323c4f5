using System.CommandLine;
using RealNvp.Samples.Common;
using static TorchSharp.torch;

namespace RealNvp.Samples.Table;

/// <summary>Fits a flow to a table of numbers, compares it with a Gaussian, and ranks the rows that fit the model least.</summary>
public static class Program
{
    private const int Ranked = 10, Deviations = 3;

    /// <summary>Runs the sample.</summary>
    /// <param name="args">The command line; <c>--help</c> lists the options.</param>
    /// <returns>0, or 1 after an error.</returns>
    public static int Main(string[] args)
    {
        Option<string?> csv = new("--csv") { Description = "a table with a header line; without it, the breast cancer table that comes with the samples" };
        Option<string?> label = new("--label") { Description = "a column to leave out of the model; where it holds 0 and 1, the model learns from the rows with 0" };
        Option<int> epochs = new("--epochs") { Description = "the largest number of passes over the training rows", DefaultValueFactory = _ => 400 };
        Option<string> folder = new("--out") { Description = "the folder of the model, the scores and the pictures", DefaultValueFactory = _ => "out/table" };
        Option<int> seed = new("--seed") { Description = "seeds the split, the weights and the training", DefaultValueFactory = _ => 0 };
        var device = SampleProgram.DeviceOption();
        RootCommand command = new("Fits a normalizing flow to a table, and finds its unusual rows.") { csv, label, epochs, device, folder, seed };
        command.SetAction(parsed => Run(parsed.GetValue(csv), parsed.GetValue(label), parsed.GetValue(epochs), parsed.GetValue(device)!, parsed.GetValue(folder)!, parsed.GetValue(seed)));
        return SampleProgram.Run(command, args);
    }

    private static int Run(string? csv, string? label, int epochs, string deviceName, string folder, int seed)
    {
        SampleProgram.AtLeast("--epochs", epochs, 1);
        TorchBackend.EnsureAvailable();
        var device = SampleProgram.DeviceOf(deviceName);
        // on networks this small, several threads mostly wait for each other
        set_num_threads(1);
        if (csv is null) (csv, label) = (SampleData.BreastCancer, label ?? "malignant");
        using var split = TableSplit.Read(csv, label, seed);
        Directory.CreateDirectory(folder);
        Print($"{csv}: {split.Rows} rows, {split.Columns.Count} features");
        Print($"{split.Training.Length} rows to train on, {split.Validation.Length} for early stopping, {split.Test.Length} held out"
            + (split.Anomalies.Length > 0 ? $", {split.Anomalies.Length} with {label} = 1 for the ranking alone" : ""));

        using var model = TableModel.Train(split, epochs, device, seed, folder);
        model.Save(Path.Combine(folder, "model.safetensors"));
        var scores = TableModel.Scores(model, split.Values, device);
        Compare(split, scores);
        if (split.Anomalies.Length > 0) Detect(split, scores);
        Rank(split, scores);
        TableFiles.Write(split, scores, folder);
        Print($"\nWritten to {folder}: model.safetensors, scores.csv, scores.png, training.png");
        return 0;
    }

    /// <summary>The held-out log-likelihood beside that of a Gaussian that saw the same rows.</summary>
    private static void Compare(TableSplit split, double[] scores)
    {
        using var training = split.Select([.. split.Training, .. split.Validation]);
        using var test = split.Select(split.Test);
        using var gaussian = new Gaussian(training);
        var flow = Array.ConvertAll(split.Test, row => -scores[row]);
        var normal = gaussian.LogProb(test);
        var gains = flow.Zip(normal, (f, g) => f - g).ToArray();
        Print($"\nHeld-out log p(x), nats a row (mean ± standard error of {split.Test.Length} rows)");
        Print($"  flow                      {Mean(flow)}");
        Print($"  Gaussian, full covariance {Mean(normal)}");
        Print($"  flow - Gaussian           {Mean(gains)}");
        var (mean, error) = Statistics(gains);
        Print("  " + (Math.Abs(mean) <= 2 * error ? "The difference is within two standard errors: no clear winner."
            : mean > 0 ? "The flow describes the held-out rows better."
            : "The Gaussian describes the held-out rows better. A flow needs more rows, or less freedom, on this table."));
    }

    /// <summary>How well -log p(x) tells the rows with label 1 from those with label 0 that were held out.</summary>
    private static void Detect(TableSplit split, double[] scores)
    {
        int[] rows = [.. split.Test, .. split.Anomalies];
        var (chosen, kinds) = (Array.ConvertAll(rows, r => scores[r]), Array.ConvertAll(rows, r => split.IsAnomaly[r]));
        Print($"\nAnomalies among the held-out rows and all rows with label 1 ({split.Anomalies.Length} of {rows.Length})");
        Print($"  ROC-AUC           {Metrics.RocAuc(chosen, kinds):F4}");
        Print($"  average precision {Metrics.AveragePrecision(chosen, kinds):F4}   (chance: {(double)split.Anomalies.Length / rows.Length:F4})");
    }

    private static void Rank(TableSplit split, double[] scores)
    {
        Print($"\nThe rows with the lowest log-density; features in standard deviations from the mean of the training rows");
        foreach (var row in Enumerable.Range(0, split.Rows).OrderByDescending(r => scores[r]).Take(Ranked))
        {
            var deviations = split.Deviations(row).Select((z, i) => (Name: split.Columns[i], Z: z)).OrderByDescending(d => Math.Abs(d.Z)).Take(Deviations);
            var kind = split.IsAnomaly.Length == 0 ? "" : $"  {split.Label} {(split.IsAnomaly[row] ? 1 : 0)}";
            Print($"  line {row + 2,5}  log p {-scores[row],10:F2}{kind}  {string.Join("  ", deviations.Select(d => $"{d.Name} {d.Z:+0.0;-0.0}"))}");
        }
    }

    private static string Mean(double[] values)
    {
        var (mean, error) = Statistics(values);
        return $"{mean,9:F3} ± {error:F3}";
    }

    private static (double Mean, double Error) Statistics(double[] values)
    {
        var mean = values.Average();
        return (mean, values.Length < 2 ? double.NaN : Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Length - 1) / values.Length));
    }

    private static void Print(string text) => Console.WriteLine(text);
}
