namespace RealNvp;

/// <summary>Half a cosine from 1 down to <see cref="Floor"/> (Loshchilov and
/// Hutter, https://arxiv.org/abs/1608.03983), without restarts.</summary>
/// <remarks>floor + (1 - floor) (1 + cos(π s / S)) / 2 at step s of S, both
/// counted from the end of the warm-up; the floor from S on.</remarks>
public sealed record CosineSchedule : LearningRateSchedule
{
    /// <summary>The factor at the end of the run; from 0 to 1, default 0.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is outside the range.</exception>
    public double Floor { get; init => field = Require.FromZeroToOne(value, nameof(Floor)); }

    /// <inheritdoc/>
    protected internal override bool NeedsTotalSteps => true;

    /// <inheritdoc/>
    protected override double Decay(long stepsDone, long totalSteps) =>
        Floor + (1 - Floor) * 0.5 * (1 + Math.Cos(Math.PI * Math.Min(1, (double)stepsDone / totalSteps)));
}
