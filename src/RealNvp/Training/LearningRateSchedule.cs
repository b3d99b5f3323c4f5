using System.Text.Json.Serialization;

namespace RealNvp;

/// <summary>How the learning rate changes during a run: a pure function of the step, relative to the base learning rate.</summary>
/// <remarks>
/// The family is closed: <see cref="ConstantSchedule"/>, <see cref="CosineSchedule"/>, <see cref="ExponentialSchedule"/>,
/// <see cref="StepSchedule"/>. As JSON, <c>kind</c> comes first and names the member: <c>{"kind":"cosine","Floor":0.01,"WarmUpSteps":500}</c>.
/// Values are immutable and safe for concurrent use.
/// </remarks>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(ConstantSchedule), "constant")]
[JsonDerivedType(typeof(CosineSchedule), "cosine")]
[JsonDerivedType(typeof(ExponentialSchedule), "exponential")]
[JsonDerivedType(typeof(StepSchedule), "step")]
public abstract record LearningRateSchedule
{
    private protected LearningRateSchedule() { }

    /// <summary>The number of first steps in which the factor rises in a straight line to 1; at least 0, default 0.</summary>
    /// <remarks>Step s of W warm-up steps has the factor (s + 1) / W, so that the first step already learns. The decay starts afterwards.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public long WarmUpSteps { get; init => field = Require.AtLeast(0, value, nameof(WarmUpSteps)); }

    /// <summary>The factor of the learning rate at a step; from 0 to 1.</summary>
    /// <param name="step">The number of steps already done: 0 for the first step. Past <paramref name="totalSteps"/> is allowed.</param>
    /// <param name="totalSteps">The number of steps of the whole run, warm-up included; at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside its range.</exception>
    public double At(long step, long totalSteps)
    {
        Require.AtLeast(0, step, nameof(step));
        Require.AtLeast(1, totalSteps, nameof(totalSteps));
        return step < WarmUpSteps ? (step + 1.0) / WarmUpSteps : Decay(step - WarmUpSteps, Math.Max(1, totalSteps - WarmUpSteps));
    }

    /// <summary>The factor after the warm-up. Nobody outside can implement it, which closes the family.</summary>
    private protected abstract double Decay(long step, long totalSteps);
}
