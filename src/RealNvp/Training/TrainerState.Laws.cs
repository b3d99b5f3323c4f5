using System.Globalization;

namespace RealNvp;

/// <content>What every state that a trainer saves has in common, so that a file that was changed is noticed.</content>
internal sealed partial class TrainerState
{
    // far beyond any training, and far enough from the end of the numbers that nothing overflows
    private const long Most = 1L << 53;

    /// <summary>Refuses a state that no trainer could have written.</summary>
    /// <exception cref="InvalidDataException">A member is out of its range,
    /// or does not agree with another; the message names it.</exception>
    public void Check()
    {
        Require(Step is >= 0 and <= Most, nameof(Step), Step, "must not be negative or larger than any training");
        Require(Epoch is >= 0, nameof(Epoch), Epoch, "must not be negative");
        Require(Batch >= 0 && Batch <= Step, nameof(Batch), Batch, $"must be in 0 ... {nameof(Step)} = {Step}");
        Require(Examples >= Batch && Examples <= Most && (Batch > 0 || Examples == 0), nameof(Examples), Examples,
            $"must be at least one for each of {nameof(Batch)} = {Batch}, and 0 before the first");
        Require(double.IsFinite(LossSum) && (Batch > 0 || LossSum == 0), nameof(LossSum), LossSum,
            "must be finite, and 0 before the first batch");
        Require(WeightSum is null || (Batch > 0 && WeightSum > 0 && double.IsFinite(WeightSum.Value)), nameof(WeightSum), WeightSum,
            "must be null, or positive and finite after the first batch");
        Require(Seconds >= 0 && Seconds < TimeSpan.MaxValue.TotalSeconds, nameof(Seconds), Seconds, "must be a length of time");
        Require(History is not null && History.Count == Epoch, nameof(History), History?.Count,
            $"must have a record for each of {nameof(Epoch)} = {Epoch}");
        for (var i = 0; i < History!.Count; i++) CheckRecord(i);
        var before = Epoch == 0 ? 0 : History[^1].Step;
        Require(Step == before + Batch, nameof(Step), Step, $"must be {before} at the end of epoch {Epoch}, and {nameof(Batch)} = {Batch}");
        Require(BestEpoch is null || (BestEpoch >= 1 && BestEpoch <= Epoch), nameof(BestEpoch), BestEpoch,
            $"must be null or in 1 ... {nameof(Epoch)} = {Epoch}");
        Require(BestEpoch is { } epoch ? Best.Equals(History[epoch - 1].ValidationLoss) : double.IsPositiveInfinity(Best), nameof(Best),
            Best, $"must be the validation loss of {nameof(BestEpoch)} = {BestEpoch?.ToString() ?? "null"}, and Infinity without one");
        Require(EpochsWithoutGain >= 0 && EpochsWithoutGain <= Epoch - (BestEpoch ?? 0), nameof(EpochsWithoutGain), EpochsWithoutGain,
            $"must be in 0 ... {Epoch - (BestEpoch ?? 0)}, the epochs since the best one");
        Require(Warnings is not null && Warnings.All(w => w is not null), nameof(Warnings), Warnings?.Count, "must be a list of sentences");
    }

    private void CheckRecord(int i)
    {
        var (record, name) = (History[i], $"{nameof(History)}[{i}]");
        Require(record is not null, name, record, "must not be null");
        Require(record!.Epoch == i + 1, $"{name}.{nameof(record.Epoch)}", record.Epoch, $"must be {i + 1}: epochs stand in their order");
        var before = i == 0 ? 0 : History[i - 1].Step;
        Require(record.Step > before && record.Step <= Step, $"{name}.{nameof(record.Step)}", record.Step,
            $"must be above {before}, that of the epoch before, and at most {nameof(Step)} = {Step}");
        Require(double.IsFinite(record.Loss), $"{name}.{nameof(record.Loss)}", record.Loss, "must be finite");
        Require(record.BitsPerDim is not { } own || double.IsFinite(own), $"{name}.{nameof(record.BitsPerDim)}", record.BitsPerDim,
            "must be null or finite");
        // infinite if a validation example lies outside of the support
        Require(record.ValidationLoss is null || !double.IsNaN(record.ValidationLoss.Value), $"{name}.{nameof(record.ValidationLoss)}",
            record.ValidationLoss, "must be null or a number");
        var likelihood = record.BitsPerDim is not null && record.ValidationLoss is not null;
        Require(record.ValidationBitsPerDim is { } bits ? !double.IsNaN(bits) && likelihood
            : !likelihood, $"{name}.{nameof(record.ValidationBitsPerDim)}", record.ValidationBitsPerDim,
            $"must be a number if {nameof(record.BitsPerDim)} and {nameof(record.ValidationLoss)} are, else null");
        Require(record.ValidationInfiniteCount is not { } infinite || (infinite >= 0 && record.ValidationLoss is { } loss
            && infinite > 0 == double.IsInfinity(loss)), $"{name}.{nameof(record.ValidationInfiniteCount)}", record.ValidationInfiniteCount,
            $"must be null, or a number of examples that agrees with {nameof(record.ValidationLoss)}");
        Require(record.ValidationFiniteLoss is not { } others || (double.IsFinite(others) && record.ValidationInfiniteCount is not null),
            $"{name}.{nameof(record.ValidationFiniteLoss)}", record.ValidationFiniteLoss,
            $"must be null, or finite and beside {nameof(record.ValidationInfiniteCount)}");
        Require(record.Seconds >= 0 && record.Seconds < TimeSpan.MaxValue.TotalSeconds, $"{name}.{nameof(record.Seconds)}", record.Seconds,
            "must be a length of time");
        Require(!record.IsPartial, $"{name}.{nameof(record.IsPartial)}", record.IsPartial, "must be false: checkpoints hold whole epochs");
    }

    private static void Require(bool holds, string name, object? value, string rule)
    {
        if (!holds)
            throw new InvalidDataException(
                string.Create(CultureInfo.InvariantCulture,
                $"The checkpoint's training state cannot be read: {name} {rule}; got {value ?? "null"}. The file is damaged or was " +
                $"changed: use another copy."));
    }
}
