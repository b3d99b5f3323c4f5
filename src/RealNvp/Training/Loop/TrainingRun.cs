using System.Diagnostics;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>One call of <see cref="Trainer.Fit"/>: its data, its listener and its time.</summary>
internal sealed class TrainingRun : IDisposable
{
    private readonly long start;
    private Stopwatch watch = new();
    private double before;
    private bool stepped;

    public TrainingRun(TimeProvider clock, TimeSpan? limit)
    {
        (Clock, Limit) = (clock, limit);
        start = clock.GetTimestamp();
    }

    public required TrainingData Train { get; init; }

    public required TrainingData? Validation { get; init; }

    public required ValidationSource Source { get; init; }

    public required IProgress<TrainingProgress>? Progress { get; init; }

    /// <summary>The batches of an epoch; 0 if a data loader does not tell.</summary>
    public required long Batches { get; init; }

    /// <summary>The steps of the whole training; 0 if a data loader does not tell.</summary>
    public required long TotalSteps { get; init; }

    /// <summary>The number of examples that were held out.</summary>
    public required long HeldOut { get; init; }

    private TimeProvider Clock { get; }

    private TimeSpan? Limit { get; }

    /// <summary>The time of this epoch.</summary>
    public double Seconds => before + watch.Elapsed.TotalSeconds;

    /// <summary>Begins an epoch, of which some time may have passed before a checkpoint.</summary>
    public void Start(double seconds) => (before, watch) = (seconds, Stopwatch.StartNew());

    /// <summary>The time that the last validation took; 0 before the first.</summary>
    public double ValidationSeconds { get; private set; }

    /// <summary>What is left of the time limit; null without one.</summary>
    public TimeSpan? TimeLeft => Limit - Clock.GetElapsedTime(start);

    /// <summary>Whether the time limit is over, and there was a step.</summary>
    public bool TimeIsUp => stepped && TimeLeft <= TimeSpan.Zero;

    /// <summary>A few examples of the first batch, which the inverse is tried on.</summary>
    public (Tensor X, Tensor? Context)? Rows { get; private set; }

    /// <summary>Knows that a step was taken, and keeps a copy of a few examples, the first time.</summary>
    /// <param name="batch">The batch of the step; null if its examples are none for the flow.</param>
    public void KeepRows(TrainingBatch? batch)
    {
        stepped = true;
        if (Rows is not null || batch is null) return;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (x, context) = batch;
        var count = Math.Min(RoundTrip.Rows, batch.Count);
        Rows = (scope.Detach(x.narrow(0, 0, count).clone()), context is null ? null : scope.Detach(context.narrow(0, 0, count).clone()));
    }

    /// <summary>Runs a validation, and remembers the time that it took.</summary>
    public T Timed<T>(Func<T> validate)
    {
        var from = Clock.GetTimestamp();
        var result = validate();
        ValidationSeconds = Clock.GetElapsedTime(from).TotalSeconds;
        return result;
    }

    public void Dispose()
    {
        Rows?.X.Dispose();
        Rows?.Context?.Dispose();
    }
}
