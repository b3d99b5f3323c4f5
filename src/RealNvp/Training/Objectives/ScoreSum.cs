using System.Globalization;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Adds up the losses of validation batches. An example whose loss is infinite is counted beside the others.</summary>
internal sealed class ScoreSum(Objective objective, Flow flow)
{
    private double weight, finiteWeight, finiteSum;
    private long batches, infinite;
    private bool byExample = true, anyInfinite;

    /// <summary>Adds a batch, and disposes it.</summary>
    public void Add(TrainingBatch batch, long seed)
    {
        if (batch.Share is { Counts: false })
        {
            batches++;
            batch.Dispose();
            return;
        }
        using (batch)
        using (RowShare.Enter(batch.Share, null))
        using (NewDisposeScope())
        using (objective.Traits.NeedsGraph ? enable_grad() : no_grad())
        {
            var given = batch.On(flow);
            var noise = StepSeeds.OfValidation(seed, batches++);
            var loss = BatchLoss.Of(objective, flow, given, noise).detach();
            var numbers = loss.dim() == 0 ? [loss.FetchDouble()] : loss.FetchDoubles();
            if (Array.Exists(numbers, n => double.IsNaN(n) || double.IsNegativeInfinity(n))) throw NotFinite(given, noise, numbers);
            double[]? weights = batch.WeightsUnread?.FetchDoubles();
            if (loss.dim() == 0)
            {
                byExample = false;
                Count(numbers[0], weights?.Sum() ?? batch.Count);
            }
            else for (var i = 0; i < numbers.Length; i++) Count(numbers[i], weights?[i] ?? 1);
        }
    }

    /// <summary>Adds what is known of some examples of weight 1.</summary>
    public void Add(Evaluation evaluation)
    {
        batches++;
        if (evaluation.FiniteCount > 0) finiteSum -= evaluation.FiniteMeanLogProb * evaluation.FiniteCount;
        finiteWeight += evaluation.FiniteCount;
        weight += evaluation.Count;
        infinite += evaluation.Count - evaluation.FiniteCount;
        anyInfinite |= evaluation.FiniteCount < evaluation.Count;
    }

    public ObjectiveScore Total()
    {
        if (batches == 0)
            throw new ArgumentException(
                "The validation data gave no batch in this epoch. Pass a sequence that can be enumerated again for each epoch.");
        return new ObjectiveScore
        {
            Loss = anyInfinite ? double.PositiveInfinity : finiteSum / weight,
            Weight = weight,
            InfiniteCount = byExample ? infinite : null,
            FiniteLoss = byExample && finiteWeight > 0 ? finiteSum / finiteWeight : null,
            FiniteWeight = finiteWeight,
        };
    }

    private void Count(double loss, double of)
    {
        weight += of;
        if (double.IsFinite(loss))
        {
            finiteWeight += of;
            finiteSum += loss * of;
            return;
        }
        infinite++;
        anyInfinite = true;
    }

    private NonFiniteException NotFinite(TrainingBatch batch, long seed, double[] numbers)
    {
        var value = Array.Find(numbers, n => double.IsNaN(n) || double.IsNegativeInfinity(n));
        var fault = Diagnosis.FirstLayer(flow, () => objective.Loss(flow, batch, seed).Dispose());
        var explained = fault is null ? objective.Explain(flow, batch, seed) : null;
        var what = fault is { } f ? $"The first layer at fault is {f.Layer}: its {f.What} is not finite"
            : explained ?? "The values of all layers are finite, so the loss itself is at fault";
        return new NonFiniteException(string.Create(CultureInfo.InvariantCulture,
            $"Validation by {objective.Name} gave {value} in batch {batches}. {what}."), fault?.Layer
            ?? objective.Name);
    }
}
