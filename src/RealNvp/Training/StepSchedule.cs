namespace RealNvp;

/// <summary>A decay in jumps: after each <see cref="Every"/> steps the factor is multiplied by <see cref="Factor"/>.</summary>
/// <remarks>Factor^floor(s / Every) at step s after the warm-up, at least
/// <see cref="Floor"/>. The length of the run does not matter.</remarks>
public sealed record StepSchedule : LearningRateSchedule
{
    /// <summary>What a jump multiplies the factor by; from 0 to 1, default 0.5.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is outside the range.</exception>
    public double Factor { get; init => field = Require.FromZeroToOne(value, nameof(Factor)); } = 0.5;

    /// <summary>The number of steps between two jumps; at least 1, default 1000.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public long Every { get; init => field = Require.AtLeast(1, value, nameof(Every)); } = 1000;

    /// <summary>The factor does not go below this; from 0 to 1, default 0.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is outside the range.</exception>
    public double Floor { get; init => field = Require.FromZeroToOne(value, nameof(Floor)); }

    /// <inheritdoc/>
    protected override double Decay(long stepsDone, long totalSteps) => Math.Max(Floor, Math.Pow(Factor, stepsDone / Every));
}
