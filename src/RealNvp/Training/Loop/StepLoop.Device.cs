using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Steps on a device that nothing waits for.</content>
internal sealed partial class StepLoop
{
    // asks the device for a step, and waits for nothing
    private void StepOnDevice(PendingSteps pending, TrainingBatch batch, long step, long seed, double rate)
    {
        var (counts, updates) = (gated!.Counts(), average?.Updates ?? 0);
        optimizer.ZeroGradients();
        var mean = BatchLoss.Mean(BatchLoss.Of(objective, Flow, batch, seed), batch);
        Backward(mean);
        if (Hook is not null) mean = Told(batch, step, mean);
        var norm = gated.StepThrough(pending.Gate, mean, rate, options.MaxGradientNorm, average, statistics.RestoreUnlessOpen);
        pending.Add(batch, seed, rate, mean, norm, counts, updates);
    }

    /// <summary>Counts and reports the steps that a device was asked for; throws for the first that was not finite.</summary>
    /// <exception cref="NonFiniteException">Loss or gradient of a step are not finite; the weights are those before the step.</exception>
    public void Settle()
    {
        if (pending is null) return;
        var all = pending.Take();
        try
        {
            var reports = CountFinite(all, out var failed);
            // after all are counted, so that a listener may save a checkpoint
            foreach (var report in reports) run.Progress?.Report(report);
            if (failed is not null) throw faults.Of(failed);
        }
        finally
        {
            foreach (var taken in all) taken.Step.Dispose();
        }
    }

    /// <summary>As <see cref="Settle"/> where something else ends the training: it tells and throws nothing.</summary>
    public void SettleQuietly()
    {
        if (pending is null) return;
        var all = pending.Take();
        CountFinite(all, out _);
        foreach (var taken in all) taken.Step.Dispose();
    }

    private List<TrainingProgress> CountFinite(TakenStep[] all, out TakenStep? failed)
    {
        var reports = new List<TrainingProgress>();
        failed = null;
        foreach (var taken in all)
        {
            if (!double.IsFinite(taken.Loss) || !double.IsFinite(taken.Norm))
            {
                gated!.TakeBack(taken.Step.Counts);
                average?.TakeBack(taken.Step.Updates);
                failed = taken;
                break;
            }
            reports.Add(Count(taken.Step.Batch.Count, taken.Weight, taken.Loss, taken.Norm, taken.Step.Rate));
        }
        return reports;
    }
}
