using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The reverse divergence to a density that is known up to a factor.</summary>
internal sealed class ReverseKlObjective : Objective
{
    private readonly Func<Tensor, Tensor?, Tensor> logDensity;
    private readonly bool withContext;
    private readonly long samples;
    private readonly GradientEstimator estimator;

    public ReverseKlObjective(Func<Tensor, Tensor?, Tensor> logDensity, bool withContext, long samples, GradientEstimator estimator)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(samples, 1);
        if (!Enum.IsDefined(estimator)) throw new ArgumentOutOfRangeException(nameof(estimator), estimator, "There is no such estimator.");
        (this.logDensity, this.withContext, this.samples, this.estimator) = (logDensity, withContext, samples, estimator);
    }

    public override string Name => FormattableString.Invariant($"ReverseKl(samples: {samples}, gradient: {estimator})");

    public override ObjectiveTraits Traits { get; } = new() { UsesExamples = false, DataAreFlowInputs = false };

    public override Tensor Loss(Flow flow, TrainingBatch batch, long seed) => Loss(flow, batch, seed, check: false);

    // the values that a step does not look at, so that nothing waits for a device
    public override string? Explain(Flow flow, TrainingBatch batch, long seed)
    {
        try { Loss(flow, batch, seed, check: true).Dispose(); }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException
            or NonFiniteException) { return e.Message.TrimEnd('.'); }
        return null;
    }

    private Tensor Loss(Flow flow, TrainingBatch batch, long seed, bool check)
    {
        if (withContext && batch.Context is null)
            throw new ArgumentException(
                $"{Name} has a log-density that depends on contexts, but the data have none. Pass " +
                $"{nameof(TrainingData)}.{nameof(TrainingData.FromContexts)}, or a log-density of the points alone.");
        if (!withContext && batch.Context is not null)
            throw new ArgumentException(
                $"{Name} has a log-density that does not take contexts, but the data have some. Pass one of points and contexts, (x, " +
                $"context) => ..., or {nameof(TrainingData)}.{nameof(TrainingData.None)}.");
        return VariationalInference.ReverseKlOf(flow, logDensity, samples, batch.Context, estimator, seed,
            $"{nameof(Objective)}.{nameof(ReverseKl)}", check);
    }
}
