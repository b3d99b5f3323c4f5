using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Describing;

/// <summary>Log-determinants and values of the layers of a flow over some rows.</summary>
internal sealed class LayerMeasures
{
    private const long BatchSize = 1024;

    private readonly Dictionary<Bijection, (NumberTally LogDet, NumberTally Output)> tallies = new(ReferenceEqualityComparer.Instance);

    /// <summary>Takes the rows through the flow. Rows that a layer cannot hold are no error here: they are what is looked for.</summary>
    public static IReadOnlyList<LayerStatistics> Of(Flow flow, Tensor x, Tensor? context)
    {
        using var mode = EvaluationGate.Evaluate(flow);
        var measures = new LayerMeasures();
        using (PassState.Observe(measures.Add))
        {
            var rows = x.dim() == 0 ? 0 : x.shape[0];
            // a batch with a fault ends there, so that batches tell of the others
            for (long start = 0; start == 0 || start < rows; start += BatchSize)
            {
                using var scope = NewDisposeScope();
                var count = Math.Min(BatchSize, rows - start);
                try
                {
                    flow.LogProb(count == rows ? x : x.narrow(0, start, count),
                        count == rows || context is null || context.dim() == 0 || context.shape[0] != rows
                            ? context : context.narrow(0, start, count), seed: 0);
                }
                catch (NonFiniteException) when (measures.tallies.Count > 0) { }
            }
        }
        return [.. LayerRows.All(flow).Select(row =>
        {
            var found = measures.tallies.TryGetValue(row.Layer, out var tally);
            return new LayerStatistics
            {
                Path = row.Path, Type = ModuleText.TypeName(row.Layer.GetType()), Depth = row.Depth, IsComposite = row.Composite,
                LogDet = found ? tally.LogDet.Summary() : null, Output = found ? tally.Output.Summary() : null,
            };
        })];
    }

    private void Add(LayerRun run)
    {
        if (!tallies.TryGetValue(run.Layer, out var tally)) tallies[run.Layer] = tally = (new(), new());
        // a layer without a log-determinant has 0 for each row
        tally.LogDet.Add(run.LogDet ?? zeros(run.Value.shape[0]));
        tally.Output.Add(run.Value);
    }
}
