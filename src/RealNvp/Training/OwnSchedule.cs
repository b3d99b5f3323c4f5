namespace RealNvp;

/// <summary>What a checkpoint holds of a schedule of the user's: what it says
/// of itself. Whoever resumes the training gives the schedule again.</summary>
internal sealed record OwnSchedule : LearningRateSchedule
{
    /// <summary>The record as text, such as <c>Zigzag { WarmUpSteps = 0, Every = 100 }</c>.</summary>
    public string Text { get; init; } = "";

    /// <summary>The schedule as a file can hold it.</summary>
    public static LearningRateSchedule InFile(LearningRateSchedule schedule) =>
        schedule is ConstantSchedule or CosineSchedule or ExponentialSchedule or StepSchedule or OwnSchedule
        ? schedule
        : new OwnSchedule { Text = schedule.ToString() ?? "", WarmUpSteps = schedule.WarmUpSteps };

    /// <inheritdoc/>
    protected override double Decay(long stepsDone, long totalSteps) =>
        throw new InvalidOperationException($"The schedule {Text} is code of yours, which no file holds. Give it again.");
}
