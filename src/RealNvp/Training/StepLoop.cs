using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The steps of one call of <see cref="Trainer.Fit"/>: loss, gradients, optimizer, average, and what is counted and told of them.</summary>
/// <remarks>On the CPU it looks at loss and norm in each step; on a device several steps together: see <see cref="PendingSteps"/>.</remarks>
internal sealed partial class StepLoop : IDisposable
{
    // TorchSharp's small native objects are freed by finalizers only; a young collection now and then keeps memory flat
    private const int CollectEvery = 10;

    private readonly Flow flow;
    private readonly AdamOptimizer optimizer;
    private readonly WeightAverage? average;
    private readonly TrainingOptions options;
    private readonly TrainerState state;
    private readonly TrainingRun run;
    private readonly BufferSnapshot statistics;
    private readonly StepFault faults;
    private readonly PendingSteps? pending;

    /// <param name="flow">The flow that is trained.</param>
    /// <param name="optimizer">What changes its weights.</param>
    /// <param name="average">The average of the weights, or null.</param>
    /// <param name="options">How to train.</param>
    /// <param name="state">Where steps are counted.</param>
    /// <param name="run">Data, listener and time.</param>
    /// <param name="limits">When a device is asked for losses; null if each step asks.</param>
    public StepLoop(Flow flow, AdamOptimizer optimizer, WeightAverage? average, TrainingOptions options, TrainerState state, TrainingRun run, PendingLimits? limits)
    {
        (this.flow, this.optimizer, this.average, this.options, this.state, this.run) = (flow, optimizer, average, options, state, run);
        statistics = new BufferSnapshot(flow);
        faults = new StepFault(flow, optimizer, state, statistics);
        pending = limits is { } l ? new PendingSteps(l, flow.parameters().First(p => p.requires_grad).device) : null;
    }

    /// <summary>The number of steps, those included whose loss is not known yet.</summary>
    public long Taken => state.Step + (pending?.Count ?? 0);

    /// <summary>Takes a step on a batch, which stays the caller's.</summary>
    /// <exception cref="NonFiniteException">Loss or gradient are not finite; the weights are those before the step.</exception>
    public void Take(Tensor x, Tensor? context)
    {
        var step = Taken;
        var rate = options.LearningRate * options.Schedule.At(step, Math.Max(1, run.TotalSteps));
        var seed = StepSeeds.OfNoise(options.Seed, step);
        statistics.Save();
        double loss = 0, norm = 0;
        using (NewDisposeScope())
        // a data loader may have left this thread in another mode
        using (GradientMode.Enter())
        {
            var input = flow.ToWeights(x);
            var given = context is null ? null : flow.ToWeights(context);
            try
            {
                if (pending is null) (loss, norm) = StepNow(input, given, seed, rate);
                else StepOnDevice(pending, input, given, seed, rate);
            }
            // in the forward pass, or in a backward pass that computes inputs again
            catch (NonFiniteException e) when (e.InnerException is NoInverseException cause) { throw faults.NoInverse(cause, step); }
            catch (NoInverseException e) { throw faults.NoInverse(e, step); }
        }
        if ((step + 1) % CollectEvery == 0)
        {
            GC.Collect(0);
            GC.WaitForPendingFinalizers();
        }
        if (pending is not null)
        {
            if (pending.AreDue) Settle();
            return;
        }
        var report = Count(x.size(0), loss, norm, rate);
        run.Progress?.Report(report);
    }

    private (double Loss, double Norm) StepNow(Tensor input, Tensor? given, long seed, double rate)
    {
        optimizer.ZeroGradients();
        var nll = flow.NegativeLogLikelihood(input, given, seed);
        var loss = nll.FetchDouble();
        if (!double.IsFinite(loss)) throw faults.OfLoss(input, given, seed, loss);
        nll.backward();
        KernelFault.Throw();
        var norm = optimizer.StepAndAverage(rate, options.MaxGradientNorm, average);
        if (!double.IsFinite(norm)) throw faults.OfGradient(statistics, norm);
        return (loss, norm);
    }

    // counts a step, and says where training stands after it
    private TrainingProgress Count(long examples, double loss, double norm, double rate)
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
            Epochs = options.Epochs,
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
            Patience = run.Validation is not null && options.Patience < options.Epochs ? options.Patience : null,
            Warnings = state.Warnings,
        };
    }

    public void Dispose()
    {
        pending?.Dispose();
        statistics.Dispose();
    }
}
