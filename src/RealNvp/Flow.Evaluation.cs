using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public partial class Flow
{
    /// <summary>The training loss: the mean of -log p(x | context) over the batch, in nats, in the module's own mode.</summary>
    /// <remarks>
    /// Unlike <see cref="LogProb(Tensor, Tensor, long?, int?, IProgress{long}, CancellationToken)"/>, it uses training
    /// behaviour after <c>train()</c>: batch statistics are updated, images are flipped. It keeps the graph, and does not
    /// look for NaN but in a context that lies in the memory of the CPU, so nothing waits for a device. It is infinite if
    /// an example lies outside of the support. In training mode it waits until no other thread computes with the flow.
    /// </remarks>
    /// <param name="x">(N, ...) with N of at least 1.</param>
    /// <param name="context">(N, C) for a conditional flow.</param>
    /// <param name="seed">Fixes the noise; null draws from torch's generator.</param>
    /// <returns>A tensor without dimensions.</returns>
    public Tensor NegativeLogLikelihood(Tensor x, Tensor? context = null, long? seed = null)
    {
        return Training(x, context, seed, static (flow, owner, input, features) =>
        {
            var (z, logDet) = flow.Applied(owner, input, flow.ForBijection(features));
            return flow.base_density.MeanLoss(z, logDet, flow.ForBase(features));
        });
    }

    /// <summary>log p(x | context) of each example in nats, with a graph and in the module's own mode:
    /// what <see cref="NegativeLogLikelihood"/> is the mean of, for losses of your own.</summary>
    /// <remarks>As of <see cref="NegativeLogLikelihood"/>. It is minus infinity for an example outside of the support.</remarks>
    /// <param name="x">(N, ...) with N of at least 1.</param>
    /// <param name="context">(N, C) for a conditional flow.</param>
    /// <param name="seed">Fixes the noise; null draws from torch's generator.</param>
    /// <returns>(N), which the caller disposes.</returns>
    public Tensor TrainingLogProb(Tensor x, Tensor? context = null, long? seed = null) =>
        Training(x, context, seed, static (flow, owner, input, features) => flow.LogProbOf(owner, input, features));

    private Tensor Training(Tensor x, Tensor? context, long? seed, Func<Flow, string, Tensor, Tensor?, Tensor> compute)
    {
        var owner = $"{GetName()}.{nameof(NegativeLogLikelihood)}";
        using var mode = EvaluationGate.Own(this);
        using var scope = NewDisposeScope();
        CheckBatch(x, owner);
        if (x.shape[0] == 0) throw new ArgumentException($"{owner} needs at least one example; got an empty batch.", nameof(x));
        CheckContext(context, x.shape[0], owner, mayWait: false);
        using var session = training ? reversible?.Start() ?? ReversibleSession.Suspend() : ReversibleSession.Suspend();
        using var random = PassState.Seed(seed);
        var input = Prepared(x);
        return scope.MoveToOuter(compute(this, owner, input, Features(context, input.dtype, owner, mayWait: false)));
    }

    /// <summary>The mean log-likelihood of a data set, computed in batches, without gradients and in evaluation mode.</summary>
    /// <remarks>One row outside of the support makes the mean minus infinity; <see cref="Evaluation.FiniteCount"/>
    /// and <see cref="Evaluation.FiniteMeanLogProb"/> speak of the others.</remarks>
    /// <param name="x">(N, ...) with N of at least 1, on any device.</param>
    /// <param name="context">(N, C) for a conditional flow.</param>
    /// <param name="batchSize">The number of examples at a time; at least 1.</param>
    /// <param name="seed">Fixes the noise of a dequantization, which is one stream over all rows.</param>
    /// <param name="progress">Hears after each batch how many rows are done.</param>
    /// <param name="tryInverse">Takes a few rows to z and back too, which gives
    /// <see cref="Evaluation.RoundTripError"/> and a warning that names the layer that loses the digits.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <exception cref="ArgumentException">An argument does not fit, or holds NaN or infinity; the message lists the rows.</exception>
    /// <exception cref="NonFiniteException">A layer gave NaN; it names the layer and the rows.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public Evaluation Evaluate(Tensor x, Tensor? context = null, int batchSize = 256, long seed = 0, IProgress<long>? progress = null,
        bool tryInverse = false, CancellationToken cancellationToken = default) =>
        Evaluate(x, context, batchSize, seed, progress, tryInverse, SamplingDevice.type == DeviceType.CPU ? 1
            : BatchesOnDevice, cancellationToken);

    // batches whose results are fetched together: a device works on while the host asks for more
    private const int BatchesOnDevice = 32;

    /// <summary>As the public method, with the number of batches that are asked for before their results are fetched.</summary>
    internal Evaluation Evaluate(Tensor x, Tensor? context, int batchSize, long seed, IProgress<long>? progress, bool tryInverse,
        int together, CancellationToken cancellationToken)
    {
        const string operation = "evaluate";
        var begun = FlowMetrics.Begin();
        try
        {
            var evaluation = EvaluateRows(x, context, batchSize, seed, progress, tryInverse, together, cancellationToken);
            FlowMetrics.End(begun, operation, this, evaluation.Count, evaluation.Count - evaluation.FiniteCount);
            return evaluation;
        }
        catch (Exception e) when (FlowMetrics.Failed(begun, operation, this, e, x)) { throw; }
    }

    private Evaluation EvaluateRows(Tensor x, Tensor? context, int batchSize, long seed, IProgress<long>? progress, bool tryInverse,
        int together, CancellationToken cancellationToken)
    {
        var owner = $"{GetName()}.{nameof(Evaluate)}";
        var passes = Passing(batchSize, progress, cancellationToken);
        using var mode = EvaluationGate.Evaluate(this);
        using var gradients = no_grad();
        using var scope = NewDisposeScope();
        CheckDataSet(x, context, owner);
        var count = x.shape[0];
        if (count == 0) throw new ArgumentException($"{owner} needs at least one example; got an empty batch.", nameof(x));
        using var random = PassState.Seed(seed);
        double sum = 0, squares = 0;
        long finite = 0;
        var tried = new List<long>();
        var asked = new List<(Tensor LogProb, long Start)>();
        (Tensor Input, Tensor? Features) Part(long start, long size)
        {
            var (part, given) = Rows(x, context, start, size);
            part = ToWeights(part);
            CheckBatch(part, owner);
            var input = Prepared(part);
            // the whole data set was checked before
            return (input, Features(given is null ? null : ToWeights(given), input.dtype, owner, mayWait: false));
        }
        void Take()
        {
            using var taking = NewDisposeScope();
            foreach (var (logProb, _) in asked) taking.Attach(logProb);
            var values = (asked.Count == 1 ? asked[0].LogProb : cat([.. asked.Select(a => a.LogProb)])).FetchDoubles();
            var row = asked[0].Start - 1;
            if (!Array.TrueForAll(values, double.IsFinite))
                foreach (var (logProb, start) in asked)
                    CheckLogDensities(logProb, start, owner, rows =>
                    {
                        var (input, features) = Part(start, logProb.shape[0]);
                        LogProbOf(owner, input.index_select(0, rows), features?.index_select(0, rows));
                    });
            asked.Clear();
            foreach (var value in values)
            {
                row++;
                if (double.IsNegativeInfinity(value)) continue;
                if (tryInverse && tried.Count < RoundTrip.Rows) tried.Add(row);
                finite++;
                sum += value;
                squares += value * value;
            }
        }
        try
        {
            passes.Each(count, owner, (start, size) =>
            {
                var (input, features) = Part(start, size);
                asked.Add((LogProbOf(owner, input, features).DetachFromDisposeScope(), start));
                if (asked.Count == together || start + size == count) Take();
            });
        }
        finally
        {
            foreach (var (logProb, _) in asked) logProb.Dispose();
        }
        var mean = sum / finite;
        var variance = finite > 1 ? Math.Max(0, squares - finite * mean * mean) / (finite - 1) : double.NaN;
        var all = finite == count ? mean : double.NegativeInfinity;
        var roundTrip = tried.Count > 0 ? TryInverse(x, context, [.. tried], seed) : null;
        return new Evaluation
        {
            Count = count, MeanLogProb = all, StandardError = finite == count ? Math.Sqrt(variance / count)
                : double.NaN, BitsPerDim = -all / (InputShape.NumElements * Math.Log(2)), Likelihood = Likelihood,
            FiniteCount = finite, FiniteMeanLogProb = mean, RoundTripError = roundTrip?.Error, Warnings = roundTrip?.Warning is { } warning
                ? [.. FileWarnings, warning] : FileWarnings.Count > 0 ? FileWarnings : [],
        };
    }

    private RoundTrip TryInverse(Tensor x, Tensor? context, long[] rows, long seed)
    {
        using var scope = NewDisposeScope();
        Tensor? Some(Tensor? all) => all is null ? null : ToWeights(all.index_select(0, tensor(rows, device: all.device)));
        return RoundTrip.Measure(this, Some(x)!, Some(context), seed);
    }
}
