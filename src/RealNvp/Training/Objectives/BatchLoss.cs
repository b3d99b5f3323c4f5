using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The mean of what an objective gives for a batch, and the weight of that mean among other batches.</summary>
internal static class BatchLoss
{
    /// <summary>The loss of a batch as the objective gives it, checked: (N), or without dimensions. In the caller's scope.</summary>
    public static Tensor Of(Objective objective, Flow flow, TrainingBatch batch, long seed)
    {
        var loss = objective.Loss(flow, batch, seed);
        if (loss is null || loss.IsInvalid)
            throw new InvalidOperationException(
                $"{nameof(Objective)} {objective.Name} gave {(loss is null ? "null" : "a disposed tensor")} for a loss. Return a tensor " +
                $"(N) or one without dimensions, and move it out of a dispose scope of yours.");
        if (!loss.is_floating_point())
            throw new InvalidOperationException(
                $"{nameof(Objective)} {objective.Name} gave a loss of dtype {loss.dtype}; expected a floating-point one.");
        if (loss.dim() == 1 && loss.shape[0] == batch.Count) return loss;
        if (loss.dim() != 0)
            throw new InvalidOperationException(
                $"{nameof(Objective)} {objective.Name} gave a loss of shape {EventShape.Format(loss.shape)}; expected ({batch.Count}), " +
                $"one number for each example, or a mean without dimensions.");
        if (batch.WeightsUnread is not null && !batch.WeightsWereRead)
            throw new InvalidOperationException(
                $"The data have weights, but {nameof(Objective)} {objective.Name} gave a mean without a look at " +
                $"{nameof(TrainingBatch)}.{nameof(TrainingBatch.Weights)}, so they would change nothing. Return one loss for each " +
                $"example, (N); the trainer weighs them.");
        return loss;
    }

    /// <summary>The mean of checked losses, without dimensions. In the caller's scope.</summary>
    public static Tensor Mean(Tensor loss, TrainingBatch batch)
    {
        if (loss.dim() == 0) return loss;
        if (batch.WeightsUnread is not { } given) return loss.mean();
        var weights = given.to(loss.dtype);
        return loss.mul(weights).sum().div(weights.sum());
    }

    /// <summary>The part of checked losses of some rows in the mean over a batch that several processes share.</summary>
    public static Tensor Part(Tensor loss, TrainingBatch batch, RowShare share)
    {
        // a row that does not count takes part with a gradient of 0
        if (!share.Counts) return loss.sum().mul(Scalars.Zero);
        using var all = Scalars.New(1 / share.Weight);
        if (loss.dim() > 0 && batch.WeightsUnread is { } given) return loss.mul(given.to(loss.dtype)).sum().mul(all);
        if (loss.dim() > 0) return loss.sum().mul(all);
        using var part = Scalars.New((Weight(batch)?.FetchDouble() ?? batch.Count) / share.Weight);
        return loss.mul(part);
    }

    /// <summary>The sum of the weights, without dimensions; null without weights. In the caller's scope.</summary>
    public static Tensor? Weight(TrainingBatch batch) => batch.WeightsUnread is { } weights ? ExampleWeights.Floating(weights).sum() : null;
}
