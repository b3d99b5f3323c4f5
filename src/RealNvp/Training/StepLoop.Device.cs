using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Steps on a device that nothing waits for.</content>
internal sealed partial class StepLoop
{
    // asks the device for a step, and waits for nothing
    private void StepOnDevice(PendingSteps pending, Tensor input, Tensor? given, long seed, double rate)
    {
        var (counts, updates) = (optimizer.Counts(), average?.Updates ?? 0);
        optimizer.ZeroGradients();
        var nll = flow.NegativeLogLikelihood(input, given, seed);
        nll.backward();
        KernelFault.Throw();
        var norm = optimizer.StepThrough(pending.Gate, nll, rate, options.MaxGradientNorm, average, statistics.RestoreUnlessOpen);
        pending.Add(input, given, seed, rate, nll, norm, counts, updates);
    }

    /// <summary>Counts and reports the steps that a device was asked for; throws for the first that was not finite.</summary>
    /// <exception cref="NonFiniteException">Loss or gradient of a step are not finite; the weights are those before the step.</exception>
    public void Settle()
    {
        if (pending is null) return;
        var taken = pending.Take();
        try
        {
            var reports = CountFinite(taken, out var failed);
            // after all are counted, so that a listener may save a checkpoint
            foreach (var report in reports) run.Progress?.Report(report);
            if (failed is { } f) throw faults.Of(f.Step, f.Loss, f.Norm);
        }
        finally
        {
            foreach (var (step, _, _) in taken) step.Dispose();
        }
    }

    /// <summary>As <see cref="Settle"/> where something else ends the training: it tells and throws nothing.</summary>
    public void SettleQuietly()
    {
        if (pending is null) return;
        var taken = pending.Take();
        CountFinite(taken, out _);
        foreach (var (step, _, _) in taken) step.Dispose();
    }

    private List<TrainingProgress> CountFinite((PendingStep Step, double Loss, double Norm)[] taken, out (PendingStep Step, double Loss, double Norm)? failed)
    {
        var reports = new List<TrainingProgress>();
        failed = null;
        foreach (var (step, loss, norm) in taken)
        {
            if (!double.IsFinite(loss) || !double.IsFinite(norm))
            {
                optimizer.TakeBack(step.Counts);
                average?.TakeBack(step.Updates);
                failed = (step, loss, norm);
                break;
            }
            reports.Add(Count(step.Data.X.size(0), loss, norm, step.Rate));
        }
        return reports;
    }
}
