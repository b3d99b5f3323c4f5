using RealNvp.Plotting;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Table;

/// <summary>Trains the flow of a table, and scores rows with it.</summary>
internal static class TableModel
{
    private const int ScoredAtOnce = 8192;

    /// <summary>Trains with early stopping within the time that there is, and draws the training curve.</summary>
    public static FlowModel Train(TableSplit split, TableTraining wanted, Device device)
    {
        using var scope = NewDisposeScope();
        var training = split.Select(split.Training).to(float32);
        var validation = split.Select(split.Validation).to(float32);
        var options = TableModels.Options(wanted.Model, split.Columns.Count, split.Training.Length, wanted.Hidden);
        var batch = wanted.Batch ?? TrainingPlan.BatchSize(split.Training.Length);
        var how = TrainingOptions.For(options) with
        {
            BatchSize = batch,
            LearningRate = 1e-3,
            AverageDecay = 0.99,
            Schedule = new CosineSchedule { WarmUpSteps = 100 },
            Patience = wanted.Patience ?? TrainingPlan.Patience(split.Training.Length, batch),
            Seed = wanted.Seed,
        };
        var plan = TrainingPlan.Of(options, how, training, device, wanted.Epochs, wanted.Time);
        if (wanted.Exchange is { } processes)
        {
            // each has timed its own steps; all train as long as the first one plans
            using var epochs = tensor([(long)plan.Epochs]);
            processes.Broadcast(epochs, 0);
            plan = plan with { Epochs = (int)epochs[0].item<long>() };
        }
        var model = TableModels.Build(options, wanted.Seed);
        model.to(device);
        Console.WriteLine(
            $"{model.GetName()} with {model.parameters().Sum(p => p.numel()):N0} weights, {batch} rows a step. " +
            $"{plan.Forecast(wanted.Time)}");

        using var bar = new ProgressBar("training", plan.Epochs, "epochs");
        using var trainer = new Trainer(model, how with { Epochs = plan.Epochs, MaxDuration = wanted.Time })
        { Exchange = wanted.Exchange };
        TrainingData Part(Tensor rows) => wanted.Exchange is { } with ? TrainingData.From(rows).Shard(with) : TrainingData.From(rows);
        var result = trainer.Fit(Part(training), Part(validation),
            new Report<TrainingProgress>(p => { if (p.Batch == p.Batches) bar.Report(p.Epoch, $"loss {p.Loss:F2}"); }));
        bar.Dispose();
        if (result.BestEpoch is not { } best)
            throw new InvalidOperationException(
                $"The time was too short for one pass over the {split.Training.Length} training rows. Use a larger --time, a larger " +
                $"--batch, or a smaller --hidden.");
        var stopped = result.Reason switch
        {
            StopReason.EarlyStopped => ", stopped early",
            StopReason.TimeLimit => ", stopped by --time",
            _ => "",
        };
        Console.WriteLine($"Best validation in epoch {best} of {result.History.Count}{stopped}");
        foreach (var warning in result.Warnings) Console.WriteLine($"Take care: {warning}");
        if (wanted.Exchange is { Rank: > 0 }) return model;
        new TrainingCurve([.. result.History.Select(e => -e.Loss)], [.. result.History.Select(e => -e.ValidationLoss ?? double.NaN)],
            new() { Title = "log-likelihood", YLabel = "log p(x), nats a row", LowerIsBetter = false })
                .Save(Path.Combine(wanted.Output, "training.png"));
        return model;
    }

    /// <summary>-log p(x) of each row in nats.</summary>
    public static double[] Scores(FlowModel model, Tensor rows, Device device)
    {
        using var gradients = no_grad();
        var scores = new double[rows.size(0)];
        for (var at = 0L; at < scores.Length; at += ScoredAtOnce)
        {
            using var scope = NewDisposeScope();
            var part = rows.narrow(0, at, Math.Min(ScoredAtOnce, scores.Length - at));
            model.LogProb(part.to(float32).to(device)).neg().to(float64).cpu().data<double>().ToArray().CopyTo(scores, at);
        }
        return scores;
    }
}
