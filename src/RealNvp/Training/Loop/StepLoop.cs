using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The steps of one call of <see cref="Trainer.Fit"/>: loss, gradients,
/// optimizer, average, and what is counted and told of them.</summary>
/// <remarks>On the CPU it looks at loss and norm in each step; on a device
/// several steps together: see <see cref="PendingSteps"/>.</remarks>
internal sealed partial class StepLoop : IDisposable
{
    private readonly TrainedModules modules;
    private readonly Objective objective;
    private readonly IOptimizer optimizer;
    private readonly IGatedOptimizer? gated;
    private readonly WeightAverage? average;
    private readonly TrainingOptions options;
    private readonly TrainerState state;
    private readonly TrainingRun run;
    private readonly IReadOnlyList<(string Name, Parameter Parameter)> parameters;
    private readonly BufferSnapshot statistics;
    private readonly StepFault faults;
    private readonly PendingSteps? pending;
    private readonly GradientBuckets? buckets;
    private StepGarbage garbage;

    /// <param name="modules">What is trained.</param>
    /// <param name="objective">What is made small.</param>
    /// <param name="optimizer">What changes the weights.</param>
    /// <param name="average">The average of the weights, or null.</param>
    /// <param name="options">How to train.</param>
    /// <param name="state">Where steps are counted.</param>
    /// <param name="run">Data, listener and time.</param>
    /// <param name="limits">When a device is asked for losses; null if each step asks.</param>
    public StepLoop(TrainedModules modules, Objective objective, IOptimizer optimizer, WeightAverage? average, TrainingOptions options,
        TrainerState state, TrainingRun run, PendingLimits? limits)
    {
        (this.modules, this.objective, this.optimizer, this.average, this.options, this.state, this.run) = (modules, objective, optimizer,
            average, options, state, run);
        gated = optimizer as IGatedOptimizer;
        parameters = [.. modules.Parameters.Where(p => p.Parameter.requires_grad)];
        statistics = new BufferSnapshot(modules.All);
        faults = new StepFault(modules, objective, optimizer, state, statistics);
        pending = limits is { } l ? new PendingSteps(l, parameters[0].Parameter.device) : null;
    }

    /// <summary>Looks at a step between the backward pass and the optimizer; null for nobody.</summary>
    public Action<GradientStep>? Hook { get; init; }

    /// <summary>The processes that take each step together; null for this one alone.</summary>
    public Ranks? Ranks
    {
        get;
        init => (field, buckets) = (value, value is null ? null : new GradientBuckets(value, parameters));
    }

    /// <summary>The least size of a part of the gradients that is summed while the backward pass goes on, in bytes.</summary>
    public long BucketBytes
    {
        init
        {
            if (buckets is not null) buckets.LeastBytes = value;
        }
    }

    /// <summary>The number of steps, those included whose loss is not known yet.</summary>
    public long Taken => state.Step + (pending?.Count ?? 0);

    private Flow Flow => modules.Flow;

    /// <summary>Takes a step on a batch, which stays the caller's.</summary>
    /// <exception cref="NonFiniteException">Loss or gradient are not finite; the weights are those before the step.</exception>
    public void Take(TrainingBatch batch)
    {
        var step = Taken;
        var rate = options.LearningRate * options.Schedule.At(step, Math.Max(1, run.TotalSteps));
        var seed = StepSeeds.OfNoise(options.Seed, step);
        statistics.Save();
        double loss = 0, norm = 0;
        double? weight = null;
        using (NewDisposeScope())
        // a data loader may have left this thread in another mode
        using (GradientMode.Enter())
        {
            var given = batch.On(Flow);
            try
            {
                if (Ranks is not null) (loss, norm, weight) = StepTogether(Ranks, given, step, seed, rate);
                else if (pending is null) (loss, norm, weight) = StepNow(given, step, seed, rate);
                else StepOnDevice(pending, given, step, seed, rate);
            }
            // in the forward pass, or in a backward pass that computes inputs again
            catch (NonFiniteException e) when (e.InnerException is NoInverseException cause) { throw faults.NoInverse(cause, step); }
            catch (NoInverseException e) { throw faults.NoInverse(e, step); }
            catch (OdeException e) { throw faults.Unsolved(e, step); }
        }
        garbage.StepDone();
        if (pending is not null)
        {
            if (pending.AreDue) Settle();
            return;
        }
        var report = Count(batch.Share?.Total ?? batch.Count, weight, loss, norm, rate);
        run.Progress?.Report(report);
    }

    private (double Loss, double Norm, double? Weight) StepNow(TrainingBatch batch, long step, long seed, double rate)
    {
        optimizer.ZeroGradients();
        var mean = BatchLoss.Mean(BatchLoss.Of(objective, Flow, batch, seed), batch);
        var loss = 0.0;
        // with a hook, other processes wait for this one in their hooks: it must get there
        if (Hook is null) loss = Finite(mean, batch, seed);
        Backward(mean);
        if (Hook is not null) loss = Finite(Told(batch, step, mean), batch, seed);
        var norm = ChangeWeights(rate);
        if (!double.IsFinite(norm)) throw faults.OfGradient(statistics, norm);
        return (loss, norm, BatchLoss.Weight(batch)?.FetchDouble());
    }

    // gives the norm of the gradient
    private double ChangeWeights(double rate) => gated?.StepAndAverage(rate, options.MaxGradientNorm, average)
        ?? ClippedStep.Take(optimizer, parameters, rate, options.MaxGradientNorm, average);

    private double Finite(Tensor mean, TrainingBatch batch, long seed) => mean.FetchDouble() is var loss && double.IsFinite(loss) ? loss
        : throw faults.OfLoss(batch, seed, loss);

    private void Backward(Tensor loss)
    {
        if (!loss.requires_grad)
            throw new InvalidOperationException(
                $"The loss of {objective.Name} does not depend on any weight that is trained, so there is nothing to learn. Compute it " +
                $"with gradients: not under no_grad, and not from detached tensors.");
        loss.backward();
        KernelFault.Throw();
    }

    private Tensor Told(TrainingBatch batch, long step, Tensor loss)
    {
        var told = new GradientStep(step, batch, loss.detach(), parameters);
        Hook!(told);
        return told.Loss;
    }

    // counts a step, and says where training stands after it
    private TrainingProgress Count(long examples, double? weight, double loss, double norm, double rate)
    {
        state.Count(examples, weight, loss);
        FlowMetrics.Trained(Flow, examples);
        state.Seconds = run.Seconds;
        var mean = state.MeanLoss;
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
            BitsPerDim = objective.Traits.IsLogLikelihood ? mean / (Flow.InputShape.NumElements * Math.Log(2)) : null,
            ValidationLoss = state.History.Count > 0 ? state.History[^1].ValidationLoss : null,
            ValidationBitsPerDim = state.History.Count > 0 ? state.History[^1].ValidationBitsPerDim : null,
            LearningRate = rate,
            GradientNorm = norm,
            ExamplesPerSecond = state.Examples / state.Seconds,
            TimeLeft = left,
            ReversibleDrift = Flow.ReversibleTraining ? Flow.ReversibleDrift : null,
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
