namespace RealNvp;

/// <summary>The base learning rate from the end of the warm-up to the end of the run.</summary>
public sealed record ConstantSchedule : LearningRateSchedule
{
    /// <inheritdoc/>
    protected override double Decay(long stepsDone, long totalSteps) => 1;
}
