using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The laws of weights of examples: finite, not negative, and not
/// all 0. A row of weight 0 is left out, as if it were not there.</summary>
internal static class ExampleWeights
{
    /// <summary>Refuses weights that mean nothing, and finds the rows that count.</summary>
    /// <param name="weights">(N).</param>
    /// <param name="owner">What the weights belong to, for errors.</param>
    /// <returns>The numbers of the rows with a positive weight, on the CPU, which the caller disposes; null if all have one.</returns>
    /// <exception cref="ArgumentException">A weight is negative, NaN or infinite, or all are 0; the message lists the rows.</exception>
    public static Tensor? Positive(Tensor weights, string owner)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (weights.is_complex())
            throw new ArgumentException($"{owner}: expected weights that are real numbers; got {weights.dtype}.", nameof(weights));
        var values = weights.FetchTensor().to(ScalarType.Float64);
        var bad = values.isfinite().logical_and(values.ge(Scalars.Zero)).logical_not();
        if (bad.any().Fetch<bool>())
            throw new ArgumentException(
                $"{owner}: a weight must be a finite number of at least 0; that of {Check.Rows(bad)} is not. Correct these weights; 0 " +
                $"leaves a row out.", nameof(weights));
        var counts = values.gt(Scalars.Zero);
        if (counts.all().Fetch<bool>()) return null;
        if (!counts.any().Fetch<bool>())
            throw new ArgumentException(
                $"{owner}: all {values.shape[0]} weights are 0, so nothing is left to learn from. Give some rows a positive weight.",
                nameof(weights));
        return scope.Detach(counts.nonzero().flatten());
    }

    /// <summary>Weights as a loss multiplies by them: floating-point numbers.</summary>
    public static Tensor Floating(Tensor weights) => weights.is_floating_point() ? weights : weights.to(ScalarType.Float32);

    /// <summary>A batch of a data loader with the rows of weight 0 left out: the batch
    /// itself if there are none, else a new one, and the old one is disposed.</summary>
    public static TrainingBatch Counting(TrainingBatch batch, string owner)
    {
        if (batch.WeightsUnread is not { } weights || batch.WeightsAreChecked) return batch;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (Positive(weights, owner) is not { } rows) return batch;
        Tensor? Some(Tensor? all) => all is null ? null : scope.Detach(all.index_select(0, rows.to(all.device)));
        using (batch) return new TrainingBatch(Some(batch.XOrNull), Some(batch.Context), Some(weights));
    }
}
