using System.Globalization;
using Microsoft.Extensions.Logging;

namespace RealNvp.Extensions;

/// <summary>Writes a training into a log: pass it as <c>progress</c> to <c>Fit</c>.</summary>
/// <remarks>
/// <para>Each epoch is an entry of level Information, with <c>Epoch</c>, <c>Epochs</c>, <c>Step</c>, <c>Loss</c>, <c>ValidationLoss</c> and
/// <c>ExamplesPerSecond</c> by name for structured logs; steps are Debug, one an interval at most; each warning of the
/// training is a Warning, once. The last epoch and the end are written by <see cref="Write"/>, with the result.</para>
/// <para>It writes on the thread that trains. One log is for one training.</para>
/// </remarks>
public sealed partial class TrainingLog : IProgress<TrainingProgress>
{
    private readonly ILogger logger;
    private readonly TimeProvider clock;
    private readonly TimeSpan interval;
    private readonly HashSet<string> warned = [];
    private TrainingProgress? last;
    private long written;

    /// <summary>Makes a log of a training.</summary>
    /// <param name="logger">Where to write.</param>
    /// <param name="interval">The shortest time between two entries of steps; null for 10 seconds.</param>
    /// <param name="clock">What that is measured with; null for the system's clock.</param>
    /// <exception cref="ArgumentOutOfRangeException">The interval is negative.</exception>
    public TrainingLog(ILogger logger, TimeSpan? interval = null, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(logger);
        if (interval is { } given) ArgumentOutOfRangeException.ThrowIfLessThan(given, TimeSpan.Zero, nameof(interval));
        (this.logger, this.interval, this.clock) = (logger, interval ?? TimeSpan.FromSeconds(10), clock ?? TimeProvider.System);
        written = this.clock.GetTimestamp();
    }

    /// <summary>Hears where the training is.</summary>
    public void Report(TrainingProgress value)
    {
        ArgumentNullException.ThrowIfNull(value);
        foreach (var warning in value.Warnings) Warn(warning);
        // an epoch has ended when the next one begins: its validation is known then
        if (last is { } before && before.Epoch != value.Epoch) Epoch(before, value.ValidationLoss);
        last = value;
        if (!logger.IsEnabled(LogLevel.Debug) || clock.GetElapsedTime(written) < interval) return;
        written = clock.GetTimestamp();
        Stepped(logger, value.Epoch, value.Epochs, value.Batch, value.Step, value.Loss, value.GradientNorm, value.ExamplesPerSecond);
    }

    /// <summary>Writes how the training ended: the last epoch, warnings that are new, and the result in words.</summary>
    /// <param name="result">What <c>Fit</c> returned, or <c>model.Report.Result</c>.</param>
    public void Write(TrainingResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        foreach (var warning in result.Warnings) Warn(warning);
        if (last is { } before && result.History.FirstOrDefault(h => h.Epoch == before.Epoch) is { } record)
            Epoch(before, record.ValidationLoss);
        last = null;
        var summary = result.ToString();
        Ended(logger, result.Reason, result.Step, result.BestEpoch, summary);
    }

    private void Epoch(TrainingProgress p, double? validation)
    {
        var validated = validation is { } v ? v.ToString("G6", CultureInfo.InvariantCulture) : "none";
        Epoch(logger, p.Epoch, p.Epochs, p.Step, p.Loss, validated, p.ExamplesPerSecond);
    }

    private void Warn(string warning)
    {
        if (warned.Add(warning)) Warned(logger, warning);
    }

    [LoggerMessage(Level = LogLevel.Information,
        Message = "Epoch {Epoch} of {Epochs}, step {Step}: loss {Loss:G6}, validation {ValidationLoss}, {ExamplesPerSecond:0} examples/s.")]
    private static partial void Epoch(ILogger logger, int epoch, int epochs, long step, double loss, string validationLoss,
        double examplesPerSecond);

    [LoggerMessage(Level = LogLevel.Debug, Message =
        "Epoch {Epoch} of {Epochs}, batch {Batch}, step {Step}: loss {Loss:G6}, gradient {GradientNorm:G3}, {ExamplesPerSecond:0} " +
            "examples/s.")]
    private static partial void Stepped(ILogger logger, int epoch, int epochs, long batch, long step, double loss, double gradientNorm,
        double examplesPerSecond);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Warning}")]
    private static partial void Warned(ILogger logger, string warning);

    [LoggerMessage(Level = LogLevel.Information, Message = "Training ended ({Reason}) at step {Step}, best epoch {BestEpoch}: {Summary}")]
    private static partial void Ended(ILogger logger, StopReason reason, long step, int? bestEpoch, string summary);
}
