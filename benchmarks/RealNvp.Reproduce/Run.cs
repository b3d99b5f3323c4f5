using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Reproduce;

/// <summary>Trains a recipe, in as many calls as it takes: each goes on from the checkpoint of the one before.</summary>
internal static class Run
{
    /// <summary>Begins a recipe or goes on with it, and writes the files of its run.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="data">The folder of all data; null if the recipe reads none.</param>
    /// <param name="runs">The folder of runs.</param>
    /// <param name="checkpoints">The folder of what unfinished trainings go on from.</param>
    /// <param name="limits">Where this call stops.</param>
    /// <param name="output">Gets a line for each epoch.</param>
    /// <returns>The result; that of before if the training has ended already.</returns>
    public static RunResult Start(Recipe recipe, string? data, string runs, string checkpoints, RunLimits limits, TextWriter output)
    {
        var folder = new RunFolder(Path.Combine(runs, recipe.Name));
        var checkpoint = Path.Combine(checkpoints, recipe.Name + ".safetensors");
        if (File.Exists(folder.Result) && RunResult.Load(folder.Result) is { Ended: not RunEnd.Unfinished } ended) return ended;
        var device = new Device(limits.Device);
        if (recipe.NeedsDevice && device.type == DeviceType.CPU)
            throw new ArgumentException($"{recipe.Name} would take weeks on a processor: give it a GPU with --device cuda.");
        using var scope = NewDisposeScope();
        var read = recipe.Data.Load(data);
        var options = recipe.Model(read);
        using var splits = read.For(options, device);
        folder.Create();
        Directory.CreateDirectory(checkpoints);
        var resumes = File.Exists(checkpoint);
        var clock = new CpuClock(Path.ChangeExtension(checkpoint, ".minutes.csv"), resumes);
        using var trainer = resumes ? Trainer.Resume(checkpoint, device,
            // a recipe may have got more steps, or fewer, since
            o => o with { MaxSteps = Training(recipe, options).MaxSteps }, new() { Objective = recipe.Objective })
            : New(recipe, options, checkpoint, device);
        using var model = (FlowModel)trainer.Flow;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(limits.Stop);
        var watch = new Watch(clock, trainer.Step, Math.Min(recipe.Minutes, clock.Minutes + limits.Minutes), limits.Steps, stop, output);
        var rows = recipe.RowsPerEpoch is { } some ? Walk.Over(splits, some, trainer.Options.BatchSize, () => trainer.Step)
            : TrainingData.From(splits.Train);
        var fitted = trainer.Fit(rows, TrainingData.From(splits.Validation), watch, stop.Token);
        clock.Mark(fitted.History.Count + 1);
        File.WriteAllText(folder.Model, $"{model.Summary()}\n");
        File.WriteAllText(folder.Options, Options(recipe, model, trainer.Options).ToJsonString(RunJson.Options) + "\n");
        File.WriteAllLines(folder.Log,
        [
            "epoch,step,minutes,loss,validation",
            .. fitted.History.Select(e => string.Create(CultureInfo.InvariantCulture,
                $"{e.Epoch},{e.Step},{clock.At(e.Epoch):F4},{e.Loss:F4},{e.ValidationLoss:F4}")),
        ]);
        var result = Result(recipe, model, splits) with
        {
            Steps = trainer.Step, Epoch = fitted.WeightsEpoch, Minutes = Math.Round(clock.At(fitted.History.Count + 1)!.Value, 3),
            Ended = fitted.Reason switch
            {
                StopReason.Finished => RunEnd.StepsDone,
                StopReason.EarlyStopped => RunEnd.StoppedEarly,
                _ => clock.Minutes >= recipe.Minutes ? RunEnd.TimeOver : RunEnd.Unfinished,
            },
        };
        result.Save(folder.Result);
        if (result.Ended != RunEnd.Unfinished) model.Save(ModelOf(checkpoints, recipe.Name));
        return result;
    }

    /// <summary>The file of the trained model of a run that has ended.</summary>
    public static string ModelOf(string checkpoints, string recipe) => Path.Combine(checkpoints, recipe + ".model.safetensors");

    private static Trainer New(Recipe recipe, ModelOptions options, string checkpoint, Device device)
    {
        manual_seed(recipe.Seed);
        var model = options.NewModel();
        model.to(device);
        return new Trainer(model, recipe.Objective, Training(recipe, options) with { Seed = recipe.Seed, CheckpointPath = checkpoint });
    }

    private static TrainingOptions Training(Recipe recipe, ModelOptions options) => recipe.Training(TrainingOptions.For(options));

    private static RunResult Result(Recipe recipe, FlowModel model, Splits splits)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var (test, validation) = (model.Evaluate(splits.Test, seed: recipe.Seed), model.Evaluate(splits.Validation, seed: recipe.Seed));
        // a covariance of so many rows is known well enough
        using var some = splits.Train.narrow(0, 0, Math.Min(splits.Train.shape[0], MostOfGaussian));
        var gaussian = recipe.Data.InBits ? null : Benchmarks.Presets.Gaussian.Fit(some);
        double? Gaussian(Tensor rows) => gaussian is null ? null : Digits(gaussian(rows).mean().item<double>());
        return new()
        {
            Recipe = recipe.Name, Test = Digits(test.MeanLogProb), StandardError = Digits(test.StandardError),
            Validation = Digits(validation.MeanLogProb), Gaussian = Gaussian(splits.Test),
            GaussianTrain = Gaussian(some), GaussianValidation = Gaussian(splits.Validation),
            Dimensions = splits.Test[0].numel(), Likelihood = test.Likelihood.ToString()!, Weights = model.parameters().Sum(p => p.numel()),
            TrainRows = splits.Train.shape[0], ValidationRows = splits.Validation.shape[0], TestRows = splits.Test.shape[0],
            Threads = get_num_threads(), Steps = 0, Epoch = null, Minutes = 0, Ended = RunEnd.Unfinished,
        };
    }

    private const long MostOfGaussian = 500_000;

    private static double Digits(double value) => Math.Round(value, 5);

    private static JsonObject Options(Recipe recipe, FlowModel model, TrainingOptions training) => new()
    {
        ["seed"] = recipe.Seed,
        ["kind"] = model.GetType().Name,
        ["model"] = JsonNode.Parse(model.ModelOptions.ToJson()),
        ["training"] = JsonSerializer.SerializeToNode(training with { CheckpointPath = null }),
    };

    /// <summary>Writes a line at the end of each epoch, and stops the call when its time is over.</summary>
    private sealed class Watch(CpuClock clock, long firstStep, double minutes, long steps, CancellationTokenSource stop, TextWriter output)
        : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (clock.Minutes >= minutes || value.Step - firstStep >= steps) stop.Cancel();
            if (value.Batch != value.Batches) return;
            clock.Mark(value.Epoch);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"epoch {value.Epoch}, step {value.Step}, {clock.Minutes:F2} minutes: loss {value.Loss:F4}, validation before " +
                    $"{value.ValidationLoss:F4}"));
        }
    }
}
