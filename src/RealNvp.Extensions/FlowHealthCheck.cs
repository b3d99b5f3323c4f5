using System.Diagnostics;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace RealNvp.Extensions;

/// <summary>Whether a flow computes: it draws one example and scores it. For
/// <c>services.AddHealthChecks().AddCheck&lt;FlowHealthCheck&gt;("flow")</c>.</summary>
/// <remarks>
/// The example of a conditional flow is that of a context of zeros, or of label 0. If the flow does not take such a context, give one.
/// The result is healthy if the example and its log-probability are finite; its data have <c>model</c>, <c>log_prob</c>,
/// <c>seconds</c>, and of a model that was fitted <c>training_rows</c> and <c>held_out_log_prob</c>. A fault is a result, with the
/// error in it, and no exception.
/// </remarks>
public sealed class FlowHealthCheck : IHealthCheck
{
    private readonly Flow flow;
    private readonly double[]? context;

    /// <summary>Makes the check of a flow that needs no context, or takes one of zeros.</summary>
    /// <param name="flow">The flow; it stays the container's.</param>
    public FlowHealthCheck(Flow flow) : this(flow, null) { }

    /// <summary>Makes the check of a flow with a context to draw for.</summary>
    /// <param name="flow">The flow; it stays the container's.</param>
    /// <param name="context">C values; null for zeros.</param>
    public FlowHealthCheck(Flow flow, double[]? context)
    {
        ArgumentNullException.ThrowIfNull(flow);
        (this.flow, this.context) = (flow, context);
    }

    /// <summary>Draws and scores an example. It takes as long as that.</summary>
    /// <param name="context">What is checked: its registration says which status a fault has.</param>
    /// <param name="cancellationToken">Ends the check before it begins.</param>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        return cancellationToken.IsCancellationRequested ? Task.FromCanceled<HealthCheckResult>(cancellationToken)
            : Task.FromResult(Check(context.Registration?.FailureStatus ?? HealthStatus.Unhealthy));
    }

    private HealthCheckResult Check(HealthStatus fault)
    {
        var data = new Dictionary<string, object> { ["model"] = flow.GetType().Name };
        try
        {
            var watch = Stopwatch.StartNew();
            var logProb = LogProb();
            data["log_prob"] = logProb;
            data["seconds"] = watch.Elapsed.TotalSeconds;
            if (flow.Info.TrainingRows is { } rows) data["training_rows"] = rows;
            if (flow.Info.HeldOutLogProb is { } score) data["held_out_log_prob"] = score;
            return double.IsFinite(logProb) ? HealthCheckResult.Healthy($"{flow.GetType().Name} draws and scores.", data)
                : new HealthCheckResult(fault, FormattableString.Invariant($"The log-probability of a sample of the flow is {logProb}."),
                    null, data);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return new HealthCheckResult(fault, $"The flow cannot draw or score: {e.Message}", e, data);
        }
    }

    private double LogProb()
    {
        // a label has no dimensions
        if (context is null && flow.ContextShape is { Count: 0 }) return LogProb(new long[1]);
        return LogProb(context ?? (flow.ContextShape is { } shape ? new double[shape.NumElements] : null));
    }

    private double LogProb(DataRows given)
    {
        var x = flow.SampleArray(1, given, seed: 0);
        return flow.LogProb(x, given, seed: 0)[0];
    }
}
