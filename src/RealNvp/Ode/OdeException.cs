namespace RealNvp;

/// <summary>An ordinary differential equation could not be solved: its dynamics are stiff, grow without bound, or are not finite.</summary>
public sealed class OdeException : ArithmeticException
{
    internal OdeException(string message, OdeFailure failure, long example, double time, double stepSize, long component) : base(message) =>
        (Failure, Example, Time, StepSize, Component) = (failure, example, time, stepSize, component);

    /// <summary>What happened.</summary>
    public OdeFailure Failure { get; }

    /// <summary>The example (row of y0) that failed; the first, if several did.</summary>
    public long Example { get; }

    /// <summary>The time t that this example had come to.</summary>
    public double Time { get; }

    /// <summary>The step h that was tried last, negative backwards in time.</summary>
    public double StepSize { get; }

    /// <summary>The component of the example, counted through all its dimensions,
    /// whose error counted most in that step, or that was not finite.</summary>
    public long Component { get; }
}
