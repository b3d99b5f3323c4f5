using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>What a training is validated on, and how.</content>
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
        if (Options.ValidationFraction is null && !data.CanSplit && !data.HasExamples) return (data, null, ValidationSource.NoExamples);
        if (Options.ValidationFraction is null && !data.CanSplit) return (data, null, ValidationSource.DataLoader);
        if (Options.ValidationFraction is null && data.Count < FewestToHoldOut) return (data, null, ValidationSource.TooFewExamples);
        var fraction = Options.ValidationFraction ?? AutomaticFraction;
        var (train, held) = data.Split(fraction, StepSeeds.OfSplit(Options.Seed));
        return (train, held, held is not null ? ValidationSource.HeldOut : fraction == 0 ? ValidationSource.None
            : ValidationSource.TooFewExamples);
    }

    /// <summary>Puts numbers in the place of automatic choices, so that a
    /// checkpoint holds them, and says what is not as one would expect.</summary>
    private void FillIn(TrainingData? validation, ValidationSource source)
    {
        Options = Options with
        {
            ValidationFraction = Options.ValidationFraction ?? (source == ValidationSource.HeldOut ? AutomaticFraction : 0),
            Patience = Options.Patience ?? AutomaticPatience,
        };
        if (validation is not null || source is ValidationSource.None or ValidationSource.NoExamples) return;
        var why = source == ValidationSource.DataLoader
            ? "the data come from a data loader, which cannot be split. Pass validation data to Fit beside it"
            : $"there are too few examples to hold some out. With {FewestToHoldOut} or more a tenth is; or pass validation data to Fit";
        Warn($"Training is not validated, so it goes on to its last epoch and may overfit: {why}, or set " +
            $"{nameof(TrainingOptions.ValidationFraction)} = 0 if that is meant.");
    }

    // with the average applied
    private ObjectiveScore Validate(TrainingData validation)
    {
        modules.Evaluate();
        try
        {
            using var gradients = no_grad();
            return ranks is null ? Score(validation) : Checked(ValidateTogether(ranks, validation));
        }
        finally { modules.Train(); }
    }

    private ObjectiveScore Score(TrainingData validation) =>
        Checked(Objective.Validate(flow, validation, Options.BatchSize, Options.Seed));

    private ObjectiveScore Checked(ObjectiveScore? score) =>
        score is null || double.IsNaN(score.Loss) || double.IsNegativeInfinity(score.Loss)
            ? throw new NonFiniteException(
                $"Validation by {Objective.Name} gave {score?.Loss.ToString() ?? "null"}; expected a number, or plus infinity.",
                Objective.Name)
            : score;

    private static long HeldOut(ValidationSource source, TrainingData? validation) => source == ValidationSource.HeldOut ? validation!.Count
        ?? 0 : 0;

    /// <summary>What the flow says of its training from now on.</summary>
    private void Describe(TrainingData data, TrainingData? validation)
    {
        var epoch = Options.RestoreBest && state.BestEpoch is { } best ? state.History.FirstOrDefault(h => h.Epoch == best)
            : state.History.LastOrDefault();
        var score = Objective.Traits.IsLogLikelihood ? -epoch?.ValidationLoss : null;
        flow.Info = flow.Info with
        {
            TrainingRows = data.Count, HeldOutRows = validation?.Count, HeldOutLogProb = score,
            HeldOutLikelihood = score is null ? null : flow.Likelihood.Kind,
        };
    }

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
            Objective = Objective.Name,
            Reason = reason,
            WeightsEpoch = ended > state.Epoch ? null : ended,
            Validation = source,
            HeldOut = heldOut,
            Warnings = [.. state.Warnings],
        };
    }
}
