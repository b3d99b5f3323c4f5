using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Describing;

/// <summary>Mean log-determinants of the layers of a flow over some rows.</summary>
internal sealed class LayerLogDets
{
    private readonly Dictionary<Bijection, double> sums = new(ReferenceEqualityComparer.Instance);

    private LayerLogDets(long rows) => Rows = rows;

    /// <summary>The number of rows.</summary>
    public long Rows { get; }

    /// <summary>The mean of log p(x).</summary>
    public double MeanLogProb { get; private set; }

    /// <summary>The mean log-determinant of a layer in the direction from
    /// data to latents; null if the rows did not go through it.</summary>
    public double? this[Bijection layer] => sums.TryGetValue(layer, out var sum) ? sum : null;

    /// <summary>Runs the rows through the flow.</summary>
    public static LayerLogDets Measure(Flow flow, Tensor x, Tensor? context)
    {
        using var scope = NewDisposeScope();
        using var mode = EvaluationGate.Evaluate(flow);
        var found = new LayerLogDets(x.dim() == 0 ? 0 : x.shape[0]);
        using (PassState.Observe(call =>
        {
            using var inner = NewDisposeScope();
            // rows come in batches; a batch counts by its part of all rows
            var sum = call.LogDet is { } logDet ? logDet.to(ScalarType.Float64).sum().FetchDouble() / Math.Max(1, found.Rows) : 0;
            found.sums[call.Layer] = found.sums.GetValueOrDefault(call.Layer) + sum;
        }))
        {
            found.MeanLogProb = flow.LogProb(x, context, seed: 0).to(ScalarType.Float64).mean().FetchDouble();
        }
        return found;
    }
}
