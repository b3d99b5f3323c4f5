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
        foreach (var (x, context) in run.Train.Batches(Options.BatchSize, StepSeeds.OfOrder(Options.Seed, state.Epoch), state.Batch))
        {
            using (x)
            using (context)
            {
                if (cancellationToken.IsCancellationRequested || run.TimeIsUp)
                {
                    loop.Settle();
                    return cancellationToken.IsCancellationRequested ? StopReason.Cancelled : StopReason.TimeLimit;
                }
                loop.Take(x, context);
                run.KeepRows(x, context);
            }
            if (StepsDone(loop.Taken)) break;
        }
        loop.Settle();
        if (state.Examples == 0) throw new ArgumentException($"The data loader gave no batch in this epoch. Pass a sequence that can be enumerated again for each epoch, and for the pass before the first one that fits layers to the data, if there are any; or fit those first: {nameof(Trainer)}.{nameof(FitLayers)}.");
        return null;
    }

    private bool StepsDone(long taken) => Options.MaxSteps is { } most && taken >= most;

    // true: stop early
    private bool EndEpoch(TrainingRun run)
    {
        Evaluation? evaluation;
        using (average?.Apply())
        {
            evaluation = run.Validation is { } validation ? run.Timed(() => Validate(validation)) : null;
            Probe(run);
        }
        state.Epoch++;
        Record(evaluation, state.Epoch, partial: false);
        (state.Batch, state.LossSum, state.Examples, state.Seconds) = (0, 0, 0, 0);
        if (evaluation is not null && !Improves(evaluation, state.Epoch)) state.EpochsWithoutGain++;
        if (Options.CheckpointPath is { } path && (state.Epoch % Options.CheckpointEvery == 0 || state.Epoch == Options.Epochs)) SaveCheckpoint(path);
        return run.Validation is not null && state.EpochsWithoutGain >= Options.Patience;
    }

    /// <summary>Ends an epoch that the time limit has cut: what was learned in it counts where it validates best.</summary>
    private void EndPart(TrainingRun run)
    {
        Evaluation? evaluation = null;
        // a validation that takes longer than the part did is no use of the caller's time, unless there is none yet
        if (run.Validation is { } validation && (best is null || run.ValidationSeconds < state.Seconds))
            using (average?.Apply()) evaluation = run.Timed(() => Validate(validation));
        Record(evaluation, state.Epoch + 1, partial: true);
        if (evaluation is not null) Improves(evaluation, state.Epoch + 1);
    }

    private void Record(Evaluation? evaluation, int epoch, bool partial)
    {
        var loss = state.LossSum / state.Examples;
        state.History.Add(new EpochRecord
        {
            Epoch = epoch,
            Step = state.Step,
            Loss = loss,
            BitsPerDim = loss / (flow.InputShape.NumElements * Math.Log(2)),
            ValidationLoss = -evaluation?.MeanLogProb,
            ValidationBitsPerDim = evaluation?.BitsPerDim,
            ValidationInfiniteCount = evaluation?.Count - evaluation?.FiniteCount,
            ValidationFiniteLoss = evaluation is { FiniteCount: > 0 } ? -evaluation.FiniteMeanLogProb : null,
            Seconds = state.Seconds,
            IsPartial = partial,
        });
    }

    // compares the record that was added last
    private bool Improves(Evaluation evaluation, int epoch)
    {
        if (!double.IsFinite(evaluation.MeanLogProb))
            Warn($"Some validation examples have a log-probability of minus infinity. Epochs are compared by their number ({nameof(EpochRecord)}.{nameof(EpochRecord.ValidationInfiniteCount)}) first, then by the mean of the others. {nameof(Flow)}.{nameof(Flow.LogProb)} tells which rows they are.");
        if (state.BestEpoch is { } before && !state.History[^1].IsBetterThan(state.History[before - 1])) return false;
        (state.Best, state.BestEpoch, state.EpochsWithoutGain) = (-evaluation.MeanLogProb, epoch, 0);
        if (Options.RestoreBest) KeepBest();
        return true;
    }

    private void KeepBest()
    {
        best?.Dispose();
        using var averaged = average?.Apply();
        best = new StateSnapshot(flow.state_dict());
    }

    private void Finish()
    {
        finished = true;
        if (best is null && average is not null) KeepBest();
        best?.CopyTo(flow);
    }

    /// <summary>Tries the inverse on a few examples, and warns, once in a training, where it loses the digits. For flows whose inverse is fast.</summary>
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
        if (run.Rows is not { } rows || state.Warnings.Any(RoundTrip.IsWarning)) return;
        if (RoundTrip.Measure(flow, rows.X, rows.Context, StepSeeds.OfProbe(Options.Seed)).Warning is { } warning) Warn(warning);
    }
}
