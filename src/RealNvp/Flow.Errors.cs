using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>How far off log-probabilities are.</content>
public partial class Flow
{
    // how much more than the change by a tenth of the tolerance the error may be
    private const double SolverSafety = 2.5;

    /// <summary>log p(x | context) in nats, and how far off it is as far as the
    /// layers can tell. In evaluation mode, without gradients.</summary>
    /// <remarks>Layers may do more work for it than <see cref="LogProb(Tensor, Tensor, long?, int?, IProgress{long}, CancellationToken)"/>:
    /// what is solved for is solved again with a tenth of the tolerance, so ask for a few examples that
    /// stand for others. The error is 2.5 times the change, at least that of the mean example.</remarks>
    /// <param name="x">(N, ...).</param>
    /// <param name="context">(N, C) for a conditional flow.</param>
    /// <param name="seed">Fixes the noise; null draws from torch's generator.</param>
    /// <param name="batchSize">The number of rows at a time, at least 1; null for what suits the shape.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>
    /// log p(x), (N). The standard error of what is estimated, (N): null if nothing is, or if a layer takes but one draw, which has no
    /// spread; <see cref="Likelihood"/> says which. The size of errors that are no noise, of solvers
    /// and of series that are cut off, (N): null if no layer has any. The caller disposes all of them.
    /// </returns>
    /// <exception cref="ArgumentException">An argument does not fit, or holds NaN or infinity; the message lists the rows.</exception>
    /// <exception cref="NonFiniteException">A layer gave NaN; it names the layer and the rows.</exception>
    public (Tensor LogProb, Tensor? StandardError, Tensor? NumericalError) LogProbWithErrors(Tensor x, Tensor? context = null,
        long? seed = null,
        int? batchSize = null, CancellationToken cancellationToken = default)
    {
        const string operation = "log_prob_with_errors";
        var begun = FlowMetrics.Begin();
        try
        {
            var results = LogProbAndErrors(x, context, seed, batchSize, cancellationToken);
            if (begun != 0) FlowMetrics.End(begun, operation, this, x.shape[0], FlowMetrics.OutsideSupport(results.LogProb));
            return results;
        }
        catch (Exception e) when (FlowMetrics.Failed(begun, operation, this, e, x)) { throw; }
    }

    private (Tensor LogProb, Tensor? StandardError, Tensor? NumericalError) LogProbAndErrors(Tensor x, Tensor? context, long? seed,
        int? batchSize, CancellationToken cancellationToken)
    {
        var owner = $"{GetName()}.{nameof(LogProbWithErrors)}";
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        CheckInput(x, context, owner);
        // what is solved for is solved again with the same noise
        var again = Likelihood.IsNumerical;
        if (again && IsStochastic) seed ??= Drawn();
        using var random = PassState.Seed(seed);
        // a pass disposes what is in its scope
        List<Tensor?> standard = [], numerical = [];
        try
        {
            var logProb = Passing(batchSize, null, cancellationToken).Run(x.shape[0], 1, owner, (start, count) =>
            {
                var (part, given) = Rows(x, context, start, count);
                using var errors = new LogDetErrors();
                using var asked = PassState.AskErrors(errors);
                var scored = Scored(part, given, start, owner);
                standard.Add(errors.StandardError?.DetachFromDisposeScope());
                numerical.Add(errors.Numerical?.DetachFromDisposeScope());
                return scored;
            });
            var (error, off) = (Joined(standard), Joined(numerical));
            if (again)
            {
                var finer = Finer(x, context, seed, batchSize, owner, cancellationToken);
                // the finer one is off too, and both may by chance agree for one example where others show what to expect
                var change = finer.sub(logProb).abs();
                var distance = maximum(change, change.mean()).mul(Scalars.Of(SolverSafety))
                    .add(logProb.abs().clamp_min(Scalars.One), Scalars.Of(8 * finfo(logProb.dtype).eps));
                off = off is null ? distance : off.add(distance, Scalars.One);
            }
            return (scope.MoveToOuter(logProb), error is null ? null : scope.MoveToOuter(error), off is null ? null
                : scope.MoveToOuter(off));
        }
        finally
        {
            foreach (var part in standard.Concat(numerical)) part?.Dispose();
        }
    }

    // log p(x) from solvers with a tenth of their tolerances
    private Tensor Finer(Tensor x, Tensor? context, long? seed, int? batchSize, string owner, CancellationToken cancellationToken)
    {
        using var random = PassState.Seed(seed);
        using var tighter = PassState.Tighten(0.1);
        return Passing(batchSize, null, cancellationToken).Run(x.shape[0], 1, owner, (start, count) =>
        {
            var (part, given) = Rows(x, context, start, count);
            return Scored(part, given, start, owner);
        });
    }

    private static long Drawn()
    {
        using var scope = NewDisposeScope();
        return (long)(Noise.Uniform([1], ScalarType.Float64, CPU, null).Fetch<double>() * (1L << 53));
    }

    private static Tensor? Joined(List<Tensor?> parts) => parts.Count == 0 || parts.Contains(null) ? null
        : cat([.. parts.OfType<Tensor>()]);
}
