using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Epochs: their batches, their end, and when to stop.</content>
public sealed partial class Trainer
{
    // null: to its end
    private StopReason? RunEpoch(TrainingRun run, StepLoop loop, CancellationToken cancellationToken)
    {
        run.Start(state.Seconds);
        foreach (var given in run.Train.Batches(Options.BatchSize, StepSeeds.OfOrder(Options.Seed, state.Epoch), state.Batch))
        {
            using (var batch = ExampleWeights.Counting(given, $"Epoch {state.Epoch + 1}, step {loop.Taken + 1}"))
            {
                if (cancellationToken.IsCancellationRequested || run.TimeIsUp)
                {
                    loop.Settle();
                    return cancellationToken.IsCancellationRequested ? StopReason.Cancelled : StopReason.TimeLimit;
                }
                loop.Take(batch);
                run.KeepRows(Objective.Traits.DataAreFlowInputs && batch.HasExamples ? batch : null);
            }
            if (StepsDone(loop.Taken)) break;
        }
        loop.Settle();
        if (state.Examples == 0)
            throw new ArgumentException(
                $"The data loader gave no batch in this epoch. Pass a sequence that can be enumerated again for each epoch, and for the " +
                $"pass before the first one that fits layers to the data, if there are any; or fit those first: " +
                $"{nameof(Trainer)}.{nameof(FitLayers)}.");
        return null;
    }

    private bool StepsDone(long taken) => Options.MaxSteps is { } most && taken >= most;

    // true: stop early
    private bool EndEpoch(TrainingRun run)
    {
        ObjectiveScore? score;
        using (average?.Apply())
        {
            score = run.Validation is { } validation ? run.Timed(() => Validate(validation)) : null;
            Probe(run);
        }
        CheckSameWeights();
        state.Epoch++;
        Record(score, state.Epoch, partial: false);
        state.NextEpoch();
        if (score is not null && !Improves(score, state.Epoch)) state.EpochsWithoutGain++;
        if (Writes && Options.CheckpointPath is { } path && (state.Epoch % Options.CheckpointEvery == 0 || state.Epoch == Options.Epochs))
            SaveCheckpoint(path);
        return run.Validation is not null && state.EpochsWithoutGain >= Options.Patience;
    }

    /// <summary>Ends an epoch that the time limit has cut: what was learned in it counts where it validates best.</summary>
    private void EndPart(TrainingRun run)
    {
        ObjectiveScore? score = null;
        // a validation that takes longer than the part did is no use of the caller's time, unless there is none yet
        if (run.Validation is { } validation && OfFirst(best is null || run.ValidationSeconds < state.Seconds))
            using (average?.Apply()) score = run.Timed(() => Validate(validation));
        Record(score, state.Epoch + 1, partial: true);
        if (score is not null) Improves(score, state.Epoch + 1);
    }

    private void Record(ObjectiveScore? score, int epoch, bool partial)
    {
        var loss = state.MeanLoss;
        state.History.Add(new EpochRecord
        {
            Epoch = epoch,
            Step = state.Step,
            Loss = loss,
            BitsPerDim = InBits(loss),
            ValidationLoss = score?.Loss,
            ValidationBitsPerDim = InBits(score?.Loss),
            ValidationInfiniteCount = score?.InfiniteCount,
            ValidationFiniteLoss = score?.FiniteLoss,
            Seconds = state.Seconds,
            IsPartial = partial,
        });
        FlowMetrics.Epoch(flow, state.Seconds);
    }

    private double? InBits(double? loss) => Objective.Traits.IsLogLikelihood ? loss / (flow.InputShape.NumElements * Math.Log(2)) : null;

    // compares the record that was added last
    private bool Improves(ObjectiveScore score, int epoch)
    {
        if (!double.IsFinite(score.Loss))
            Warn(Objective.Traits.IsLogLikelihood
                ? $"Some validation examples have a log-probability of minus infinity. Epochs are compared by their number " +
                    $"({nameof(EpochRecord)}.{nameof(EpochRecord.ValidationInfiniteCount)}) first, then by the mean of the others. " +
                    $"{nameof(Flow)}.{nameof(Flow.LogProb)} tells which rows they are."
                : $"The loss of some validation examples is infinite. Epochs are compared by their number " +
                    $"({nameof(EpochRecord)}.{nameof(EpochRecord.ValidationInfiniteCount)}) first, if it is known, then by the mean of " +
                    $"the others.");
        if (state.BestEpoch is { } before && !state.History[^1].IsBetterThan(state.History[before - 1])) return false;
        (state.Best, state.BestEpoch, state.EpochsWithoutGain) = (score.Loss, epoch, 0);
        if (Options.RestoreBest) KeepBest();
        return true;
    }

    private void KeepBest()
    {
        best?.Dispose();
        using var averaged = average?.Apply();
        best = new StateSnapshot(modules.State());
    }

    private void Finish()
    {
        finished = true;
        if (best is null && average is not null) KeepBest();
        best?.CopyTo(modules.State());
    }

    /// <summary>Tries the inverse on a few examples, and warns, once in a training,
    /// where it loses the digits. For flows whose inverse is fast.</summary>
    private void Probe(TrainingRun run)
    {
        if (flow.Bijection.HasFastInverse) TryInverse(run);
    }

    /// <summary>As <see cref="Probe"/> for the other flows, whose inverse goes from feature to feature: once, at the end.</summary>
    private void ProbeSlowInverse(TrainingRun run)
    {
        if (flow.Bijection.HasFastInverse) return;
        using (average?.Apply()) TryInverse(run);
    }

    private void TryInverse(TrainingRun run)
    {
        if (state.Warnings.Any(RoundTrip.IsWarning)) return;
        var seed = StepSeeds.OfProbe(Options.Seed);
        if (run.Rows is { } rows) Tell(rows.X, rows.Context);
        // without data that the flow takes, on what it draws itself
        else if (flow.ContextSize == 0 && flow.ContextEncoder is null && !flow.IsStochastic)
            using (var drawn = Drawn(seed))
                if (drawn is not null) Tell(drawn, null);

        void Tell(Tensor x, Tensor? context)
        {
            if (RoundTrip.Measure(flow, x, context, seed).Warning is { } warning) Warn(warning);
        }
    }

    // null if the flow cannot sample, which a training does not need
    private Tensor? Drawn(long seed)
    {
        try { return flow.Sample(RoundTrip.Rows, seed: seed); }
        catch (Exception e) when (e is not OutOfMemoryException) { return null; }
    }
}
