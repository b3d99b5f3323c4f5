using System.Globalization;
using System.Text.Json.Serialization;

namespace RealNvp;

/// <summary>How the learning rate changes during a run: a pure function of the step, relative to the base learning rate.</summary>
/// <remarks>
/// <para>The library has <see cref="ConstantSchedule"/>, <see cref="CosineSchedule"/>, <see cref="ExponentialSchedule"/> and
/// <see cref="StepSchedule"/>. As JSON, <c>kind</c> comes first and names the member:
/// <c>{"kind":"cosine","Floor":0.01,"WarmUpSteps":500}</c>. Values are immutable and safe for concurrent use.</para>
/// <para>A schedule of your own is a record that derives from this one. A checkpoint holds its text only, since code is
/// never made from a file: give it again to <c>Resume</c>, with <c>change: o => o with { Schedule = ... }</c>.</para>
/// </remarks>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(ConstantSchedule), "constant")]
[JsonDerivedType(typeof(CosineSchedule), "cosine")]
[JsonDerivedType(typeof(ExponentialSchedule), "exponential")]
[JsonDerivedType(typeof(StepSchedule), "step")]
[JsonDerivedType(typeof(OwnSchedule), "own")]
public abstract record LearningRateSchedule
{
    /// <summary>Begins a schedule.</summary>
    protected LearningRateSchedule() { }

    /// <summary>The number of first steps in which the factor rises in a straight line to 1; at least 0, default 0.</summary>
    /// <remarks>Step s of W warm-up steps has the factor (s + 1) / W, so that
    /// the first step already learns. The decay starts afterwards.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public long WarmUpSteps { get; init => field = Require.AtLeast(0, value, nameof(WarmUpSteps)); }

    /// <summary>The factor of the learning rate at a step; from 0 to 1 with the schedules of the library.</summary>
    /// <param name="step">The number of steps already done: 0 for the first step. Past <paramref name="totalSteps"/> is allowed.</param>
    /// <param name="totalSteps">The number of steps of the whole run, warm-up included; at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside its range.</exception>
    /// <exception cref="InvalidOperationException">A schedule of your own gave a negative factor, or one that is not finite.</exception>
    public double At(long step, long totalSteps)
    {
        Require.AtLeast(0, step, nameof(step));
        Require.AtLeast(1, totalSteps, nameof(totalSteps));
        if (step < WarmUpSteps) return (step + 1.0) / WarmUpSteps;
        var factor = Decay(step - WarmUpSteps, Math.Max(1, totalSteps - WarmUpSteps));
        return factor is >= 0 and < double.PositiveInfinity ? factor
            : throw new InvalidOperationException(
            string.Create(CultureInfo.InvariantCulture,
                $"{GetType().Name} gave the factor {factor} of the learning rate at step {step}; expected a finite number of at least 0."));
    }

    /// <summary>The factor after the warm-up, at least 0 and finite.</summary>
    /// <param name="stepsDone">The number of steps since the end of the warm-up,
    /// from 0. It may be larger than <paramref name="totalSteps"/>.</param>
    /// <param name="totalSteps">The number of steps from the end of the warm-up to the end of the run; at least 1.</param>
    protected abstract double Decay(long stepsDone, long totalSteps);

    /// <summary>Whether <see cref="Decay"/> looks at the number of all steps, so that a training
    /// whose number of steps is not known is refused. False unless overridden.</summary>
    protected internal virtual bool NeedsTotalSteps => false;

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public sealed override string ToString() => Describing.RecordText.Of(GetType().Name, PrintMembers);
}
