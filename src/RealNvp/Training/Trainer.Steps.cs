using System.Diagnostics;
using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class Trainer
{
    // TorchSharp's small native objects are freed by finalizers only; a young collection now and then keeps memory flat
    private const int CollectEvery = 10;

    // of the training in progress, where the losses are on a device
    private PendingSteps? pending;

    private sealed record Run(TrainingData Train, TrainingData? Validation, ValidationSource Source, IProgress<TrainingProgress>? Progress, BufferSnapshot Statistics, long Batches, long TotalSteps, TimeProvider Clock, TimeSpan? Limit)
        : IDisposable
    {
        private readonly long start = Clock.GetTimestamp();
        private Stopwatch watch = new();
        private double before;
        private bool stepped;

        /// <summary>The time of this epoch.</summary>
        public double Seconds => before + watch.Elapsed.TotalSeconds;

        /// <summary>Begins an epoch, of which some time may have passed before a checkpoint.</summary>
        public void Start(double seconds) => (before, watch) = (seconds, Stopwatch.StartNew());

        /// <summary>The time that the last validation took; 0 before the first.</summary>
        public double ValidationSeconds { get; set; }

        /// <summary>The number of examples that were held out.</summary>
        public long HeldOut { get; } = Trainer.HeldOut(Source, Validation);

        /// <summary>What is left of the time limit; null without one.</summary>
        public TimeSpan? TimeLeft => Limit - Clock.GetElapsedTime(start);

        /// <summary>Whether the time limit is over, and there was a step.</summary>
        public bool TimeIsUp => stepped && TimeLeft <= TimeSpan.Zero;

        /// <summary>A few examples of the first batch, which the inverse is tried on.</summary>
        public (Tensor X, Tensor? Context)? Rows { get; private set; }

        /// <summary>Keeps a copy of a few examples, the first time, and knows that a step was taken.</summary>
        public void KeepRows(Tensor x, Tensor? context)
        {
            stepped = true;
            if (Rows is not null) return;
            using var scope = NewDisposeScope();
            using var _ = no_grad();
            var count = Math.Min(RoundTrip.Rows, x.shape[0]);
            Rows = (scope.Detach(x.narrow(0, 0, count).clone()), context is null ? null : scope.Detach(context.narrow(0, 0, count).clone()));
        }

        public void Dispose()
        {
            Rows?.X.Dispose();
            Rows?.Context?.Dispose();
        }
    }

    private long StepsTaken => state.Step + (pending?.Count ?? 0);

    private void TakeStep(Tensor x, Tensor? context, Run run)
    {
        var step = StepsTaken;
        var rate = Options.LearningRate * Options.Schedule.At(step, Math.Max(1, run.TotalSteps));
        var seed = Mix(Options.Seed, (2 * step) + 1);
        run.Statistics.Save();
        double loss = 0, norm = 0;
        using (NewDisposeScope())
        // a data loader may have left this thread in another mode
        using (GradientMode.Enter())
        {
            var input = flow.ToWeights(x);
            var given = context is null ? null : flow.ToWeights(context);
            try
            {
                if (pending is null) (loss, norm) = StepNow(input, given, seed, rate, run.Statistics);
                else StepOnDevice(pending, input, given, seed, rate, run.Statistics);
            }
            // in the forward pass, or in a backward pass that computes inputs again
            catch (NonFiniteException e) when (e.InnerException is NoInverseException cause) { throw NoInverse(cause, step, run.Statistics); }
            catch (NoInverseException e) { throw NoInverse(e, step, run.Statistics); }
        }
        if ((step + 1) % CollectEvery == 0)
        {
            GC.Collect(0);
            GC.WaitForPendingFinalizers();
        }
        if (pending is not null)
        {
            if (pending.AreDue) Settle(run);
            return;
        }
        var report = Count(x.size(0), loss, norm, rate, run);
        run.Progress?.Report(report);
    }

    private (double Loss, double Norm) StepNow(Tensor input, Tensor? given, long seed, double rate, BufferSnapshot statistics)
    {
        optimizer.ZeroGradients();
        var nll = flow.NegativeLogLikelihood(input, given, seed);
        var loss = nll.FetchDouble();
        if (!double.IsFinite(loss)) throw NonFiniteLoss(input, given, seed, statistics, loss);
        nll.backward();
        KernelFault.Throw();
        var norm = optimizer.StepAndAverage(rate, Options.MaxGradientNorm, average);
        if (!double.IsFinite(norm)) throw NonFiniteGradient(statistics, norm);
        return (loss, norm);
    }

    // asks the device for a step, and waits for nothing
    private void StepOnDevice(PendingSteps pending, Tensor input, Tensor? given, long seed, double rate, BufferSnapshot statistics)
    {
        var (counts, updates) = (optimizer.Counts(), average?.Updates ?? 0);
        optimizer.ZeroGradients();
        var nll = flow.NegativeLogLikelihood(input, given, seed);
        nll.backward();
        KernelFault.Throw();
        var norm = optimizer.StepThrough(pending.Gate, nll, rate, Options.MaxGradientNorm, average, statistics.RestoreUnlessOpen);
        pending.Add(input, given, seed, rate, nll, norm, counts, updates);
    }

    /// <summary>Counts and reports the steps that a device was asked for; throws for the first that was not finite.</summary>
    private void Settle(Run run)
    {
        if (pending is null) return;
        var taken = pending.Take();
        try
        {
            var reports = CountFinite(taken, run, out var failed);
            // after all are counted, so that a listener may save a checkpoint
            foreach (var report in reports) run.Progress?.Report(report);
            if (failed is { } f) throw Failure(f.Step, f.Loss, f.Norm, run.Statistics);
        }
        finally
        {
            foreach (var (step, _, _) in taken) step.Dispose();
        }
    }

    // where something else ends the training
    private void SettleQuietly(Run run)
    {
        if (pending is null) return;
        var taken = pending.Take();
        CountFinite(taken, run, out _);
        foreach (var (step, _, _) in taken) step.Dispose();
    }

    private List<TrainingProgress> CountFinite((PendingStep Step, double Loss, double Norm)[] taken, Run run, out (PendingStep Step, double Loss, double Norm)? failed)
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
            reports.Add(Count(step.Data.X.size(0), loss, norm, step.Rate, run));
        }
        return reports;
    }

    // counts a step, and says where training stands after it
    private TrainingProgress Count(long examples, double loss, double norm, double rate, Run run)
    {
        state.Step++;
        state.LossSum += loss * examples;
        state.Examples += examples;
        state.Batch++;
        state.Seconds = run.Seconds;
        var mean = state.LossSum / state.Examples;
        var perStep = state.Seconds / state.Batch;
        var left = run.TotalSteps > 0 ? TimeSpan.FromSeconds(perStep * Math.Max(0, run.TotalSteps - state.Step)) : (TimeSpan?)null;
        if (run.TimeLeft is { } limit && !(left < limit)) left = limit > TimeSpan.Zero ? limit : TimeSpan.Zero;
        return new TrainingProgress
        {
            Epoch = state.Epoch + 1,
            Epochs = Options.Epochs,
            Batch = state.Batch,
            Batches = run.Batches,
            Step = state.Step,
            Loss = mean,
            BitsPerDim = mean / (flow.InputShape.NumElements * Math.Log(2)),
            ValidationBitsPerDim = state.History.Count > 0 ? state.History[^1].ValidationBitsPerDim : null,
            LearningRate = rate,
            GradientNorm = norm,
            ExamplesPerSecond = state.Examples / state.Seconds,
            TimeLeft = left,
            ReversibleDrift = flow.ReversibleTraining ? flow.ReversibleDrift : null,
            Validation = run.Source,
            HeldOut = run.HeldOut,
            EpochsWithoutGain = state.EpochsWithoutGain,
            Patience = run.Validation is not null && Options.Patience < Options.Epochs ? Options.Patience : null,
            Warnings = state.Warnings,
        };
    }

    private NonFiniteException Failure(PendingStep step, double loss, double norm, BufferSnapshot statistics)
    {
        using var scope = NewDisposeScope();
        var (input, given) = step.Data;
        statistics.Restore();
        if (!double.IsFinite(loss)) return NonFiniteLoss(input, given, step.Seed, statistics, loss);
        // the gradients of the step are gone, but the weights are those that it had
        using var now = new BufferSnapshot(flow);
        optimizer.ZeroGradients();
        flow.NegativeLogLikelihood(input, given, step.Seed).backward();
        KernelFault.Throw();
        return NonFiniteGradient(now, norm);
    }

    private NonFiniteException NoInverse(NoInverseException cause, long step, BufferSnapshot statistics)
    {
        statistics.Restore();
        var error = flow.NoInverse($"Training in epoch {state.Epoch + 1}, step {step + 1}", cause);
        return new NonFiniteException($"{error.Message} The weights are those before the step.", error.Layer, cause);
    }

    private NonFiniteException NonFiniteLoss(Tensor x, Tensor? context, long seed, BufferSnapshot statistics, double loss)
    {
        statistics.Restore();
        if (x.is_floating_point() && !Numbers.AreFinite(x))
            return new NonFiniteException($"The loss became {loss} in epoch {state.Epoch + 1}, step {state.Step + 1}: {Check.Rows(x.isfinite().logical_not().flatten(1).any(1))} of the batch that the data gave hold NaN or infinity. The weights are those before the step. Remove or replace these values.", nameof(x));
        using var now = new BufferSnapshot(flow);
        var fault = Diagnosis.FirstLayer(flow, () => flow.NegativeLogLikelihood(x, context, seed));
        now.Restore();
        var parameter = Diagnosis.FirstParameter(flow, gradients: false);
        var outside = parameter is null && double.IsPositiveInfinity(loss) ? Diagnosis.Outside(flow, x, context, seed) : null;
        // each look was a training pass
        now.Restore();
        if (outside is not null)
            return new NonFiniteException($"The loss became {loss} in epoch {state.Epoch + 1}, step {state.Step + 1}: {outside}. The weights are those before the step. Leave such rows out, scale the data, or choose a base density or layers that reach them.", nameof(Flow.BaseDensity));
        var layer = parameter ?? fault?.Layer ?? "base_density";
        var what = parameter is not null ? $"The weight {parameter} is not finite" : fault is { } f ? $"The first layer at fault is {f.Layer}: its {f.What} is not finite" : "The log-probability of the latents is not finite";
        return new NonFiniteException($"The loss became {loss} in epoch {state.Epoch + 1}, step {state.Step + 1}. {what}. The weights are those before the step. Use a smaller learning rate, a smaller {nameof(TrainingOptions.MaxGradientNorm)}, or look for extreme values in the data.", layer);
    }

    private NonFiniteException NonFiniteGradient(BufferSnapshot statistics, double norm)
    {
        statistics.Restore();
        var parameter = Diagnosis.FirstParameter(flow, gradients: true) ?? "unknown";
        return new NonFiniteException($"The gradient's norm became {norm} in epoch {state.Epoch + 1}, step {state.Step + 1}; the first weight at fault is {parameter}. The weights are those before the step. Use a smaller learning rate, or look for extreme values in the data.", parameter);
    }
}
