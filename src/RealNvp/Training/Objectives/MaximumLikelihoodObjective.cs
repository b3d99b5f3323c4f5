using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The mean of -log p(x | context).</summary>
internal sealed class MaximumLikelihoodObjective : Objective
{
    public const string TheName = "MaximumLikelihood";

    public override string Name => TheName;

    public override ObjectiveTraits Traits { get; } = new() { IsLogLikelihood = true, AllowsReversible = true };

    public override Tensor Loss(Flow flow, TrainingBatch batch, long seed)
    {
        if (batch.WeightsUnread is null) return flow.NegativeLogLikelihood(batch.X, batch.Context, seed);
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(flow.TrainingLogProb(batch.X, batch.Context, seed).neg());
    }

    // a whole data set has one stream of noise, and no graph
    public override ObjectiveScore Validate(Flow flow, TrainingData data, int batchSize, long seed)
    {
        var score = new ScoreSum(this, flow);
        if (data is TensorData { IsWeighted: false } tensors)
        {
            var (x, context) = tensors.All();
            using (x)
            using (context)
                score.Add(flow.Evaluate(x, context, Math.Max(batchSize, 256), seed));
            return score.Total();
        }
        if (data is ShardedTensors { IsWeighted: false } shard)
        {
            var (own, places) = shard.All();
            using (own) score.Add(flow.Evaluate(own.X, own.Context, places, shard.Count!.Value, Math.Max(batchSize, 256), seed));
            return score.Total();
        }
        foreach (var batch in data.Batches(batchSize, 0, 0))
        {
            if (batch.WeightsUnread is not null || batch.Share is not null) score.Add(ExampleWeights.Counting(batch, "Validation"), seed);
            else
                using (batch) score.Add(flow.Evaluate(batch.X, batch.Context, batchSize, seed));
        }
        return score.Total();
    }

    public override string? Explain(Flow flow, TrainingBatch batch, long seed) =>
        Diagnosis.Outside(flow, batch.X, batch.Context, seed) is { } outside
        ? $"{outside}. Leave such rows out, scale the data, or choose a base density or layers that reach them"
        : null;
}
