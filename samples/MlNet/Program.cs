using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using RealNvp.ML;
using RealNvp.Samples.Common;

namespace RealNvp.Samples.MlNet;

/// <summary>Finds malignant cells, or another speaker, in a pipeline of ML.NET: by normalizing flows, and by ML.NET's own principal
/// components on the same rows.</summary>
public static class Program
{
    /// <summary>Runs the sample.</summary>
    /// <param name="args">The command line; <c>--help</c> lists the options.</param>
    /// <returns>0, or 1 after an error.</returns>
    public static int Main(string[] args)
    {
        Option<string> table = new("--data") { Description = "wdbc (cells of breast cancer) or vowels (speech)",
            DefaultValueFactory = _ => "wdbc" };
        Option<bool> quick = new("--quick") { Description = "a few seconds instead of a minute: one flow, few epochs" };
        Option<string> folder = new("--out") { Description = "the folder of the saved model", DefaultValueFactory = _ => "out/mlnet" };
        Option<int> seed = new("--seed") { Description = "seeds the split and the trainings; 0 or more", DefaultValueFactory = _ => 0 };
        RootCommand command = new("Anomaly detection in a pipeline of ML.NET.") { table, quick, folder, seed };
        command.SetAction(parsed => Run(parsed.GetValue(table)!, parsed.GetValue(quick), parsed.GetValue(folder)!, parsed.GetValue(seed)));
        return SampleProgram.Run(command, args);
    }

    private static int Run(string table, bool quick, string folder, int seed)
    {
        SampleProgram.AtLeast("--seed", seed, 0);
        var (path, columns) = table switch
        {
            "wdbc" => (SampleData.BreastCancer, 30),
            "vowels" => (SampleData.Vowels, 12),
            _ => throw new ArgumentException($"--data is '{table}'; expected wdbc or vowels."),
        };
        // on networks this small, several threads mostly wait for each other
        TorchBackend.EnsureAvailable();
        TorchSharp.torch.set_num_threads(1);

        // a table, half of which trains without its anomalies
        var ml = new MLContext(seed);
        var names = File.ReadLines(path).First().Split(',');
        var all = ml.Data.LoadFromTextFile(path, [.. names.Take(columns).Select((n, i) => new TextLoader.Column(n, DataKind.Single, i)),
            new TextLoader.Column("Label", DataKind.Single, columns)], separatorChar: ',', hasHeader: true);
        var split = ml.Data.TrainTestSplit(all, testFraction: 0.5, seed: seed);
        var ordinary = ml.Data.FilterRowsByColumn(split.TrainSet, "Label", upperBound: 0.5);

        // two pipelines
        var features = ml.Transforms.Concatenate("Features", [.. names.Take(columns)]);
        var options = quick ? new NormalizingFlowOptions { Detector = new() { Members = 1, Training = new() { Epochs = 20 } } } : null;
        var flows = features.Append(ml.AnomalyDetection.Trainers.NormalizingFlow(options: options));
        var components = features.Append(ml.Transforms.NormalizeMeanVariance("Features"))
            .Append(ml.AnomalyDetection.Trainers.RandomizedPca(rank: columns / 3, ensureZeroMean: false, seed: seed));

        Directory.CreateDirectory(folder);
        var file = Path.Combine(folder, "model.zip");
        Console.WriteLine(Line("", "AUC", "found at 10 false alarms", "seconds"));
        using (var model = Evaluate(ml, "NormalizingFlow", flows, ordinary, split.TestSet))
        {
            var detector = model.LastTransformer;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"an anomaly scores {detector.Threshold:F2} or more, as {detector.FalseAlarms:P1} of the ordinary rows kept aside do"));
            ml.Model.Save(model, ordinary.Schema, file);
        }
        using (Evaluate(ml, "RandomizedPca", components, ordinary, split.TestSet)) { }

        // any process with ML.NET loads it
        var loaded = new MLContext().Model.Load(file, out _);
        var first = ml.Data.CreateEnumerable<Scored>(loaded.Transform(split.TestSet), reuseRowObject: false).First();
        (loaded as IDisposable)?.Dispose();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{file}, loaded again: log-density {first.LogDensity:F2} nats, score {first.Score:F2}, anomaly: {first.PredictedLabel}"));
        return 0;
    }

    private static TransformerChain<T> Evaluate<T>(MLContext ml, string name, EstimatorChain<T> pipeline, IDataView train, IDataView test)
        where T : class, ITransformer
    {
        var watch = Stopwatch.StartNew();
        var model = pipeline.Fit(train);
        var quality = ml.AnomalyDetection.Evaluate(model.Transform(test));
        Console.WriteLine(Line(name, Text($"{quality.AreaUnderRocCurve:F3}"), Text($"{quality.DetectionRateAtFalsePositiveCount:P0}"),
            Text($"{watch.Elapsed.TotalSeconds:F1}")));
        return model;
    }

    private static string Line(string name, string auc, string found, string seconds) => $"{name,-16}{auc,8}{found,28}{seconds,10}";

    private static string Text(FormattableString text) => FormattableString.Invariant(text);

    private sealed class Scored
    {
        public float LogDensity { get; set; }

        public float Score { get; set; }

        public bool PredictedLabel { get; set; }
    }
}
