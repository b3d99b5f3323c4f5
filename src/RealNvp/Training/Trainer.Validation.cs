using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class Trainer
{
    // below so many examples, a held-out part says little, and training needs them all
    private const int FewestToHoldOut = 50;

    private const double AutomaticFraction = 0.1;

    // measured on four tables, with averaged weights: see docs/decisions, early stopping
    private const int AutomaticPatience = 15;

    /// <summary>The data to train on, those to validate on, and where the latter come from.</summary>
    private (TrainingData Train, TrainingData? Validation, ValidationSource Source) Part(TrainingData data, TrainingData? validation)
    {
        if (validation is not null) return (data, validation, ValidationSource.Given);
        if (Options.ValidationFraction is null && !data.CanSplit) return (data, null, ValidationSource.DataLoader);
        if (Options.ValidationFraction is null && data.Count < FewestToHoldOut) return (data, null, ValidationSource.TooFewExamples);
        var fraction = Options.ValidationFraction ?? AutomaticFraction;
        var (train, held) = data.Split(fraction, Mix(Options.Seed, -1));
        return (train, held, held is not null ? ValidationSource.HeldOut : fraction == 0 ? ValidationSource.None : ValidationSource.TooFewExamples);
    }

    /// <summary>Puts numbers in the place of automatic choices, so that a checkpoint holds them, and says what is not as one would expect.</summary>
    private void FillIn(TrainingData? validation, ValidationSource source)
    {
        Options = Options with
        {
            ValidationFraction = Options.ValidationFraction ?? (source == ValidationSource.HeldOut ? AutomaticFraction : 0),
            Patience = Options.Patience ?? AutomaticPatience,
        };
        if (validation is not null || source == ValidationSource.None) return;
        var why = source == ValidationSource.DataLoader
            ? "the data come from a data loader, which cannot be split. Pass validation data to Fit beside it"
            : $"there are too few examples to hold some out. With {FewestToHoldOut} or more a tenth is; or pass validation data to Fit";
        Warn($"Training is not validated, so it goes on to its last epoch and may overfit: {why}, or set {nameof(TrainingOptions.ValidationFraction)} = 0 if that is meant.");
    }

    // true: stop early
    private bool EndEpoch(Run run)
    {
        Evaluation? evaluation;
        using (average?.Apply())
        {
            evaluation = run.Validation is null ? null : Validate(run);
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
    private void EndPart(Run run)
    {
        Evaluation? evaluation = null;
        // a validation that takes longer than the part did is no use of the caller's time, unless there is none yet
        if (run.Validation is not null && (best is null || run.ValidationSeconds < state.Seconds))
            using (average?.Apply()) evaluation = Validate(run);
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

    // with the average applied
    private Evaluation Validate(Run run)
    {
        var start = Clock.GetTimestamp();
        var result = Validate(run.Validation!);
        run.ValidationSeconds = Clock.GetElapsedTime(start).TotalSeconds;
        return result;
    }

    private Evaluation Validate(TrainingData validation)
    {
        if (validation is TensorData tensors)
        {
            var (x, context) = tensors.All();
            using (x)
            using (context)
                return flow.Evaluate(x, context, Math.Max(Options.BatchSize, 256), Options.Seed);
        }
        double sum = 0, finiteSum = 0;
        long count = 0, finite = 0;
        foreach (var (x, context) in validation.Batches(Options.BatchSize, 0, 0))
            using (x)
            using (context)
            {
                var part = flow.Evaluate(x, context, Options.BatchSize, Options.Seed);
                sum += part.MeanLogProb * part.Count;
                count += part.Count;
                if (part.FiniteCount > 0) finiteSum += part.FiniteMeanLogProb * part.FiniteCount;
                finite += part.FiniteCount;
            }
        if (count == 0) throw new ArgumentException("The validation data gave no batch in this epoch. Pass a sequence that can be enumerated again for each epoch.");
        return new Evaluation
        {
            Count = count,
            MeanLogProb = sum / count,
            StandardError = double.NaN,
            BitsPerDim = -sum / count / (flow.InputShape.NumElements * Math.Log(2)),
            IsBound = flow.IsBound,
            FiniteCount = finite,
            FiniteMeanLogProb = finiteSum / finite,
        };
    }

    private static long HeldOut(ValidationSource source, TrainingData? validation) => source == ValidationSource.HeldOut ? validation!.Count ?? 0 : 0;

    /// <summary>What was done, for the caller, after the weights have come back.</summary>
    private TrainingResult Result(ValidationSource source, long heldOut, StopReason reason)
    {
        var restored = Options.RestoreBest && state.BestEpoch is not null;
        var ended = restored ? state.BestEpoch : state.Batch > 0 ? null : state.Epoch;
        return new TrainingResult
        {
            History = [.. state.History],
            Step = state.Step,
            BestEpoch = state.BestEpoch,
            Reason = reason,
            WeightsEpoch = ended > state.Epoch ? null : ended,
            Validation = source,
            HeldOut = heldOut,
            Warnings = [.. state.Warnings],
        };
    }
}
