using RealNvp.Plotting;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Table;

/// <summary>Builds and trains the flow of a table.</summary>
internal static class TableModel
{
    /// <summary>Trains with early stopping, and draws the training curve.</summary>
    public static RealNvpModel Train(TableSplit split, int epochs, Device device, int seed, string folder)
    {
        using var scope = NewDisposeScope();
        var training = split.Select(split.Training).to(float32);
        var validation = split.Select(split.Validation).to(float32);
        var model = new RealNvpModel(Options(split), seed);
        model.to(device);
        var options = TrainingOptions.For(model.Options) with
        {
            Epochs = epochs,
            BatchSize = 64,
            LearningRate = 1e-3,
            AverageDecay = 0.99,
            Patience = 60,
            Seed = seed,
        };
        using var bar = new ProgressBar("training", epochs, "epochs");
        using var trainer = new Trainer(model, options);
        var result = trainer.Fit(TrainingData.From(training), TrainingData.From(validation),
            new Report<TrainingProgress>(p => { if (p.Batch == p.Batches) bar.Report(p.Epoch, $"loss {p.Loss:F2}"); }));
        bar.Dispose();
        Console.WriteLine($"Best validation in epoch {result.BestEpoch} of {result.History.Count}{(result.Reason == StopReason.EarlyStopped ? ", stopped early" : "")}");
        new TrainingCurve([.. result.History.Select(e => -e.Loss)], [.. result.History.Select(e => -e.ValidationLoss ?? double.NaN)],
            new() { Title = "log-likelihood", YLabel = "log p(x), nats a row", LowerIsBetter = false }).Save(Path.Combine(folder, "training.png"));
        return model;
    }

    /// <summary>-log p(x) of each row in nats.</summary>
    public static double[] Scores(RealNvpModel model, Tensor rows, Device device)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        return model.LogProb(rows.to(float32).to(device)).neg().to(float64).cpu().data<double>().ToArray();
    }

    private static RealNvpOptions Options(TableSplit split)
    {
        // smaller than the preset: a table of a few hundred rows is soon learned by heart
        return RealNvpOptions.Tabular(split.Columns.Count) with { Couplings = 8, Hidden = 64, Blocks = 1 };
    }
}
