using System.Diagnostics;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Table;

/// <summary>How long to train: steps are timed first, so that the schedule of the learning rate fits into the time that there is.</summary>
/// <param name="Epochs">The largest number of passes over the training rows.</param>
/// <param name="EpochTime">What a pass takes, with its validation.</param>
internal sealed record TrainingPlan(int Epochs, TimeSpan EpochTime)
{
    // more steps than these have not helped a table of this size
    private const int MostSteps = 40_000, LeastEpochs = 40, MostEpochs = 400, WarmUp = 3, Timed = 12;

    /// <summary>The rows of a step, if the user does not say: more rows need fewer steps a row.</summary>
    public static int BatchSize(int rows) => rows switch { <= 5_000 => 64, <= 20_000 => 128, <= 100_000 => 256, _ => 512 };

    /// <summary>The passes without gain after which to stop, if the user does not say: about a thousand steps.</summary>
    public static int Patience(int rows, int batch) => Math.Clamp(1_000 / Math.Max(1, rows / batch), 8, 60);

    /// <summary>Times some steps of a model that is thrown away, and plans as many passes as the time allows.</summary>
    /// <param name="options">The model.</param>
    /// <param name="training">How it will be trained.</param>
    /// <param name="rows">float32 (N, D), the rows to train on.</param>
    /// <param name="device">Where to train.</param>
    /// <param name="epochs">What the user asks for; null leaves it open.</param>
    /// <param name="time">The time that there is.</param>
    public static TrainingPlan Of(ModelOptions options, TrainingOptions training, Tensor rows, Device device, int? epochs, TimeSpan time)
    {
        using var scope = NewDisposeScope();
        using var model = TableModels.Build(options, training.Seed);
        model.to(device);
        var steps = (int)((rows.size(0) + training.BatchSize - 1) / training.BatchSize);
        var watch = new Stopwatch();
        long last = 0;
        // a pass of few steps is timed as several passes
        using (var trainer = new Trainer(model, training with { Epochs = ((WarmUp + Timed) / steps) + 1, MaxSteps = WarmUp + Timed,
            Patience = null, ValidationFraction = 0 }))
            trainer.Fit(TrainingData.From(rows), null, new Report<TrainingProgress>(p =>
            {
                if (p.Step == WarmUp) watch.Restart();
                last = p.Step;
            }), CancellationToken.None);
        var epoch = watch.Elapsed * ((double)steps / Math.Max(1, last - WarmUp)) * 1.1;
        if (epoch <= TimeSpan.Zero) epoch = TimeSpan.FromTicks(1);
        var fit = (int)Math.Clamp(time / epoch, 1, 1_000_000);
        var sensible = Math.Clamp(MostSteps / steps, LeastEpochs, MostEpochs);
        return new TrainingPlan(epochs ?? Math.Min(sensible, fit), epoch);
    }

    /// <summary>The forecast in words.</summary>
    public string Forecast(TimeSpan time)
    {
        var all = EpochTime * Epochs;
        return $"A pass over the training rows takes {Show(EpochTime)}; {Epochs} passes at most, " +
            $"{(all <= time ? $"in {Show(all)} if they are all needed" : $"stopped after {Show(time)} (--time)")}.";
    }

    private static string Show(TimeSpan time) => time.TotalSeconds switch
    {
        < 0.095 => "less than 0.1 s",
        < 9.95 => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{time.TotalSeconds:F1} s"),
        < 100 => $"{time.TotalSeconds:F0} s",
        _ => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{time.TotalMinutes:F1} minutes"),
    };
}
