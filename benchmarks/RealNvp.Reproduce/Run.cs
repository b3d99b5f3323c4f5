using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Reproduce;

/// <summary>Trains a recipe, in as many calls as it takes: each goes on from the checkpoint of the one before, which is
/// kept beside the log until the training has ended.</summary>
internal static class Run
{
    /// <summary>Goes on with a recipe for some minutes at most, and writes its log and result.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="data">The folder of all data.</param>
    /// <param name="folder">The folder of the run: log.csv, model.txt, result.json.</param>
    /// <param name="checkpoint">The file to go on from, if it is there.</param>
    /// <param name="minutes">The most minutes of this call.</param>
    /// <param name="output">Gets a line for each epoch.</param>
    public static RunResult Start(Recipe recipe, string data, string folder, string checkpoint, double minutes, TextWriter output)
    {
        using var scope = NewDisposeScope();
        Directory.CreateDirectory(folder);
        var log = Path.Combine(folder, "log.csv");
        using var splits = recipe.Data.Load(data);
        var before = File.Exists(checkpoint) && File.Exists(log) ? MinutesOf(log) : 0;
        var left = Math.Min(minutes, recipe.Minutes - before);
        if (before > 0 && left <= 0) throw new InvalidOperationException($"{recipe.Name} has had its {recipe.Minutes} minutes: nothing is left to do.");
        using var trainer = before > 0 ? Resumed(checkpoint, left) : New(recipe, recipe.Model(splits), checkpoint, left);
        var model = (FlowModel)trainer.Flow;
        File.WriteAllText(Path.Combine(folder, "model.txt"), $"{model.Summary()}\n");
        var result = trainer.Fit(TrainingData.From(splits.Train), TrainingData.From(splits.Validation), new EpochLines(output));
        Write(log, result.History);
        model.eval();
        using var gradients = no_grad();
        var test = model.Evaluate(splits.Test);
        var validation = model.Evaluate(splits.Validation);
        var ended = new RunResult(recipe.Name, recipe.Title, recipe.Data.Name, test.MeanLogProb, test.StandardError)
        {
            Gaussian = Benchmarks.Presets.Gaussian.Fit(splits.Train)(splits.Test).mean().item<double>(),
            Validation = validation.MeanLogProb,
            Weights = model.parameters().Sum(p => p.numel()),
            Steps = trainer.Step,
            Minutes = Math.Round(MinutesOf(log), 2),
            Ended = result.Reason is StopReason.Finished or StopReason.EarlyStopped,
            TrainRows = splits.Train.shape[0],
            TestRows = splits.Test.shape[0],
            Seed = recipe.Seed,
            Machine = $"{RuntimeInformation.ProcessArchitecture}, {get_num_threads()} threads",
            Options = JsonDocument.Parse(model.ModelOptions.ToJson()).RootElement,
            Training = JsonSerializer.SerializeToElement(trainer.Options with { CheckpointPath = null }),
        };
        ended.Save(Path.Combine(folder, "result.json"));
        return ended;
    }

    private static Trainer New(Recipe recipe, ModelOptions options, string checkpoint, double minutes)
    {
        manual_seed(recipe.Seed);
        var model = options.NewModel();
        return new Trainer(model, TrainingOptions.For(options) with
        {
            BatchSize = recipe.Training.BatchSize, LearningRate = recipe.Training.LearningRate, Schedule = recipe.Training.Schedule,
            Epochs = recipe.Training.Epochs, MaxSteps = recipe.Training.MaxSteps, AverageDecay = recipe.Training.AverageDecay, Seed = recipe.Seed,
            MaxDuration = TimeSpan.FromMinutes(minutes), CheckpointPath = checkpoint, Patience = 20,
        });
    }

    private static Trainer Resumed(string checkpoint, double minutes) =>
        Trainer.Resume(checkpoint, change: o => o with { MaxDuration = TimeSpan.FromMinutes(Math.Max(minutes, 0.001)), CheckpointPath = checkpoint });

    private static void Write(string log, IReadOnlyList<EpochRecord> history) => File.WriteAllLines(log,
    [
        "epoch,step,seconds,loss,validation",
        .. history.Select(e => string.Create(CultureInfo.InvariantCulture,
            $"{e.Epoch},{e.Step},{e.Seconds:F2},{e.Loss:F4},{e.ValidationLoss:F4}")),
    ]);

    private static double MinutesOf(string log) =>
        File.ReadLines(log).Skip(1).Sum(l => double.Parse(l.Split(',')[2], CultureInfo.InvariantCulture)) / 60;

    /// <summary>Writes a line at the end of each epoch.</summary>
    private sealed class EpochLines(TextWriter output) : IProgress<TrainingProgress>
    {
        private int last;

        public void Report(TrainingProgress value)
        {
            if (value.Batch != value.Batches || value.Epoch == last) return;
            last = value.Epoch;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"epoch {value.Epoch}, step {value.Step}: loss {value.Loss:F4}, validation before {value.ValidationLoss:F4}"));
        }
    }
}
