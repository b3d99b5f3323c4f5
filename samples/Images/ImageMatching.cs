using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Images;

/// <summary>The command <c>matching</c>: trains a continuous flow on small images by flow matching,
/// then draws samples and measures its likelihood, which is exact as that of any flow.</summary>
internal static class ImageMatching
{
    /// <summary>Trains, and writes model, samples and report.</summary>
    public static void Run(string? data, int epochs, string deviceName, string output, int seed, CancellationToken cancellationToken)
    {
        SampleProgram.AtLeast("--epochs", epochs, 1);
        var device = SampleProgram.DeviceOf(deviceName);
        using var split = ImageTraining.Open(data);
        using var scope = NewDisposeScope();
        Directory.CreateDirectory(output);
        var options = FfjordOptions.Digits8x8 with
        {
            Shape = split.Train.Images.shape[1..],
            Levels = split.Train.Levels,
            ContextSize = split.Train.Labels is { } labels ? labels.max().ToInt64() + 1 : 0,
        };
        using var model = new FfjordModel(options, seed);
        model.to(device);
        using (var trainer = new Trainer(model, Objective.FlowMatching(), TrainingOptions.For(options) with
        {
            Epochs = epochs,
            // the averaged weights validate smoothly, on a tenth of the training images
            AverageDecay = 0.995,
            Patience = 20,
            Schedule = new CosineSchedule { WarmUpSteps = 20 },
            Seed = seed,
        }))
        {
            using var bar = new ProgressBar("training", epochs, "epochs");
            Console.WriteLine(trainer.Fit(
                TrainingData.From(split.Train.Images, Classes.OneHot(model, split.Train.Labels, split.Train.Count)),
                progress: new Report<TrainingProgress>(p => bar.Report(p.Epoch, FormattableString.Invariant($"loss {p.Loss:F3}"))),
                cancellationToken: cancellationToken));
        }
        model.Save(Path.Combine(output, ImageTraining.ModelFile));
        ImageReport.Samples(model, null, 1, seed, output);
        ImageReport.Evaluate(model, split.Test, seed, output);
    }
}
