using RealNvp.Plotting;
using RealNvp.Samples.Common;
using TorchSharp;

namespace RealNvp.Samples.Images;

/// <summary>The <c>train</c> command: trains a Real NVP on images and writes the report.</summary>
internal sealed class ImageTraining
{
    public const string ModelFile = "model.safetensors", CheckpointFile = "checkpoint.safetensors";

    public string? Data { get; init; }

    public int? Epochs { get; init; }

    public int Batch { get; init; } = 64;

    public double LearningRate { get; init; } = 2e-3;

    public int? Limit { get; init; }

    public int? Scales { get; init; }

    public int? Blocks { get; init; }

    public int? Hidden { get; init; }

    public bool Resume { get; init; }

    /// <summary>Learn p(image | label); null does for the digits that ship with the sample.</summary>
    public bool? Conditional { get; init; }

    public required string Device { get; init; }

    public required string Output { get; init; }

    public int Seed { get; init; }

    /// <summary>Other processes that train with this one; null for none.</summary>
    public IGradientExchange? Exchange { get; init; }

    public void Run(CancellationToken cancellationToken)
    {
        var device = SampleProgram.DeviceOf(Device);
        using var split = Open(Data);
        using var scope = torch.NewDisposeScope();
        Directory.CreateDirectory(Output);
        var images = split.Train.Images;
        if (Limit is { } limit)
        {
            SampleProgram.AtLeast("--limit", limit, 1);
            images = images.narrow(0, 0, Math.Min(limit, images.shape[0]));
        }
        var conditional = Conditional ?? Data is null;
        if (conditional && split.Train.Labels is null)
            throw new ArgumentException($"--conditional needs labels, but {split.Train.Name} has none.");
        var classes = conditional ? split.Train.Labels!.max().ToInt64() + 1 : 0;

        var checkpoint = Path.Combine(Output, CheckpointFile);
        using var trainer = Resume ? Trainer.Resume(checkpoint, device) : Start(split.Train, classes, checkpoint, device);
        var model = (RealNvpModel)trainer.Flow;
        var options = (RealNvpImageOptions)model.Options;
        Console.WriteLine(
            $"{split.Train.Name}: {images.shape[0]:N0} training and {split.Test.Count:N0} test images {model.InputShape}, " +
            $"{model.Options.Levels} levels");
        Console.WriteLine(
            $"Real NVP: {options.Scales} scales, {options.Blocks} residual blocks, {options.Hidden} channels, " +
            $"{(model.ContextSize > 0 ? $"{model.ContextSize} classes, " : "")}{model.parameters().Sum(p => p.numel()):N0} weights, on " +
            $"{Device}");

        TrainingResult result;
        var data = TrainingData.From(images, Classes.OneHot(model, split.Train.Labels?.narrow(0, 0, images.shape[0]), images.shape[0]));
        trainer.Exchange = Exchange;
        using (var progress = new TrainingBar())
            result = trainer.Fit(Exchange is null ? data : data.Shard(Exchange), progress: progress, cancellationToken: cancellationToken);
        Console.WriteLine(result);
        // process 0 writes what all have learned
        if (Exchange is { Rank: > 0 })
        {
            model.Dispose();
            return;
        }
        if (result.Reason == StopReason.Cancelled)
            Console.WriteLine($"Cancelled after {result.Step} steps. Go on with: train --resume --out {Output}");

        model.Save(Path.Combine(Output, ModelFile));
        if (result.History.Count > 0)
            new TrainingCurve([.. result.History.Select(h => ((double)h.Epoch, h.BitsPerDim ?? double.NaN))],
                result.History.Any(h => h.ValidationBitsPerDim is not null)
                ? [.. result.History.Select(h => ((double)h.Epoch, h.ValidationBitsPerDim ?? double.NaN))] : null)
                .Save(Path.Combine(Output, "training.png"));
        ImageReport.WriteAll(model, split, Seed, Output);
        model.Dispose();
    }

    public static ImageSplit Open(string? folder) => ImageFolder.Open(folder ?? SampleData.Digits);

    private Trainer Start(ImageDataset train, long classes, string checkpoint, torch.Device device)
    {
        var preset = Preset(train);
        var options = preset with { Scales = Scales ?? preset.Scales, Blocks = Blocks ?? preset.Blocks, Hidden = Hidden
            ?? preset.Hidden, ContextSize = classes };
        var model = new RealNvpModel(options, Seed);
        model.to(device);
        return new Trainer(model, TrainingOptions.For(options) with
        {
            Epochs = Epochs ?? (Data is null ? 30 : 20),
            BatchSize = Batch,
            LearningRate = LearningRate,
            // the averaged weights validate smoothly: what gains nothing in four epochs gains nothing more
            Patience = 4,
            Seed = Seed,
            Schedule = new CosineSchedule { WarmUpSteps = 20 },
            CheckpointPath = checkpoint,
            CheckpointEvery = 5,
        });
    }

    private static RealNvpImageOptions Preset(ImageDataset train)
    {
        EventShape shape = train.Images.shape[1..];
        var preset = shape == RealNvpOptions.Digits8x8.Shape ? RealNvpOptions.Digits8x8
            : shape == RealNvpOptions.Grey28x28.Shape ? RealNvpOptions.Grey28x28
            // the paper's CIFAR-10 model is for days on a GPU; this is its recipe with a size for an evening
            : RealNvpOptions.Image(shape, scales: 2, blocks: 2, hidden: 32) with { HorizontalFlips = shape[0] == 3 };
        return preset with { Levels = train.Levels };
    }

    private sealed class TrainingBar : IProgress<TrainingProgress>, IDisposable
    {
        private ProgressBar? bar;

        public void Report(TrainingProgress value)
        {
            var done = ((value.Epoch - 1) * value.Batches) + value.Batch;
            bar ??= new ProgressBar("training", value.Epochs * value.Batches, "batches", before: done);
            var validation = value.ValidationBitsPerDim is { } bits ? $", validation {bits:F3}" : "";
            bar.Report(done,
                $"epoch {value.Epoch}/{value.Epochs}, {value.BitsPerDim:F3} bits/dim{validation}, {value.ExamplesPerSecond:F0} images/s");
        }

        public void Dispose() => bar?.Dispose();
    }
}
