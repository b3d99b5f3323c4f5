using System.Diagnostics;
using System.Diagnostics.Metrics;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>What the library counts and times, for any listener of <see cref="System.Diagnostics.Metrics"/>, such as
/// OpenTelemetry or <c>dotnet-counters</c>: the meter <see cref="MeterName"/>.</summary>
/// <remarks>
/// Names and units follow the conventions of OpenTelemetry; docs/in-production.md has a table of them. If nobody listens, a call
/// reads a few fields and nothing more: no clock, no memory.
/// </remarks>
public static class FlowMetrics
{
    /// <summary>The name of the meter: <c>meters.AddMeter(FlowMetrics.MeterName)</c>.</summary>
    public const string MeterName = "RealNvp";

    private const string Operation = "realnvp.operation.name", Model = "realnvp.model.name", Cause = "realnvp.nonfinite.cause",
        Stop = "realnvp.training.stop_reason", Error = "error.type";

    private static readonly Meter meter =
        new(new MeterOptions(MeterName) { Version = typeof(FlowMetrics).Assembly.GetName().Version?.ToString(3) });

    private static readonly Histogram<double> duration = meter.CreateHistogram("realnvp.operation.duration", "s",
        "The time of a call that scores, encodes, decodes or samples.", advice: Buckets(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
            0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60));

    private static readonly Counter<long> examples =
        meter.CreateCounter<long>("realnvp.operation.examples", "{example}", "The examples that were scored, encoded, decoded or sampled.");

    private static readonly Counter<long> nonFinite = meter.CreateCounter<long>("realnvp.operation.nonfinite", "{example}",
        "The examples that have no finite result, by cause.");

    private static readonly Counter<long> trained =
        meter.CreateCounter<long>("realnvp.training.examples", "{example}", "The examples of all training steps.");

    private static readonly Counter<long> badSteps = meter.CreateCounter<long>("realnvp.training.nonfinite", "{step}",
        "The training steps that were taken back, as their loss or gradient was not finite.");

    private static readonly Histogram<double> epoch = meter.CreateHistogram("realnvp.training.epoch.duration", "s",
        "The time of an epoch of training.", advice: Long);

    private static readonly Histogram<double> training = meter.CreateHistogram("realnvp.training.duration", "s",
        "The time of a whole training.", advice: Long);

    private static InstrumentAdvice<double> Long => Buckets(0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 14400, 86400);

    private static InstrumentAdvice<double> Buckets(params double[] edges) => new() { HistogramBucketBoundaries = edges };

    /// <summary>Begins a call: the time now, or 0 if nobody listens.</summary>
    internal static long Begin() => duration.Enabled || examples.Enabled || nonFinite.Enabled ? Stopwatch.GetTimestamp() : 0;

    /// <summary>A call has given its results.</summary>
    /// <param name="begun">What <see cref="Begin"/> gave.</param>
    /// <param name="operation">What was done, as a name of few words.</param>
    /// <param name="flow">The flow that did it.</param>
    /// <param name="count">The number of examples.</param>
    /// <param name="outside">How many of them have a log-probability of minus infinity.</param>
    internal static void End(long begun, string operation, Flow flow, long count, long outside = 0)
    {
        if (begun == 0) return;
        TagList tags = [new(Operation, operation), new(Model, flow.GetName())];
        examples.Add(count, tags);
        duration.Record(Stopwatch.GetElapsedTime(begun).TotalSeconds, tags);
        if (outside == 0) return;
        tags.Add(Cause, "outside_support");
        nonFinite.Add(outside, tags);
    }

    /// <summary>A call has failed; for a filter of exceptions, so always false.</summary>
    /// <param name="begun">What <see cref="Begin"/> gave.</param>
    /// <param name="operation">What was to be done.</param>
    /// <param name="flow">The flow that was to do it.</param>
    /// <param name="error">Why it has failed.</param>
    /// <param name="input">The data of the call, in which rows that are not finite are counted; null if it has none.</param>
    internal static bool Failed(long begun, string operation, Flow flow, Exception error, Tensor? input = null)
    {
        if (begun == 0) return false;
        TagList tags = [new(Operation, operation), new(Model, flow.GetName())];
        if (nonFinite.Enabled)
        {
            var (cause, rows) = error switch
            {
                NonFiniteException e => ("result", Math.Max(1, e.Rows)),
                ObjectDisposedException or ArgumentNullException or OperationCanceledException => ("", 0),
                ArgumentException => ("input", RowsNotFinite(input)),
                _ => ("", 0),
            };
            if (rows > 0) nonFinite.Add(rows, [.. tags, new(Cause, cause)]);
        }
        tags.Add(Error, error.GetType().FullName);
        duration.Record(Stopwatch.GetElapsedTime(begun).TotalSeconds, tags);
        return false;
    }

    /// <summary>The number of log-probabilities that are minus infinity; 0 if nobody wants to know.</summary>
    internal static long OutsideSupport(Tensor logProb)
    {
        if (!nonFinite.Enabled || Numbers.AreFinite(logProb)) return 0;
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        return logProb.isneginf().sum().FetchInt64();
    }

    /// <summary>A training step was taken.</summary>
    internal static void Trained(Flow flow, long count)
    {
        if (trained.Enabled) trained.Add(count, new KeyValuePair<string, object?>(Model, flow.GetName()));
    }

    /// <summary>An epoch has ended.</summary>
    internal static void Epoch(Flow flow, double seconds)
    {
        if (epoch.Enabled) epoch.Record(seconds, new KeyValuePair<string, object?>(Model, flow.GetName()));
    }

    /// <summary>Begins a training: the time now, or 0 if nobody listens.</summary>
    internal static long BeginTraining() => training.Enabled || badSteps.Enabled ? Stopwatch.GetTimestamp() : 0;

    /// <summary>A training has ended.</summary>
    internal static void EndTraining(long begun, Flow flow, string reason)
    {
        if (begun != 0)
            training.Record(Stopwatch.GetElapsedTime(begun).TotalSeconds, new(Model, flow.GetName()), new(Stop, reason));
    }

    /// <summary>A training has failed; for a filter of exceptions, so always false.</summary>
    internal static bool FailedTraining(long begun, Flow flow, Exception error)
    {
        if (begun == 0) return false;
        var model = new KeyValuePair<string, object?>(Model, flow.GetName());
        if (error is NonFiniteException) badSteps.Add(1, model);
        training.Record(Stopwatch.GetElapsedTime(begun).TotalSeconds, model, new(Error, error.GetType().FullName));
        return false;
    }

    // what failed may have any shape and dtype
    private static long RowsNotFinite(Tensor? input)
    {
        if (input is null || input.IsInvalid || !input.is_floating_point() || input.is_sparse || input.device_type == DeviceType.META
            || input.dim() == 0 || Numbers.AreFinite(input)) return 0;
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var bad = input.isfinite().logical_not();
        return (bad.dim() > 1 ? bad.flatten(1).any(1) : bad).sum().FetchInt64();
    }
}
