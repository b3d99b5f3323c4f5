using System.Globalization;
using RealNvp.Kernels;

namespace RealNvp.Ode;

/// <summary>Says in words why a solve ended before its time.</summary>
internal static class OdeFailures
{
    public static OdeException Describe(OdePlan plan, long status, long example, double time, double step, long component)
    {
        var (failure, what, advice) = status switch
        {
            OdeControl.TooManySteps =>
                (OdeFailure.TooManySteps, string.Create(CultureInfo.InvariantCulture, $"needed more than {plan.Control.MaxSteps} steps"),
                "The dynamics are stiff there, which explicit methods only follow with tiny steps, or the tolerance is too fine: loosen " +
                    "AbsoluteTolerance and RelativeTolerance, smooth the dynamics, or raise MaxSteps."),
            OdeControl.StepTooSmall => (OdeFailure.StepTooSmall, "needed steps below the digits of t",
                "The solution grows without bound there, or f jumps: bound the dynamics, or end before that time."),
            _ => (OdeFailure.NotFinite, "came to a state or a slope that is NaN or infinite",
                "Look at y0 and at f there, and bound the dynamics."),
        };
        var before = string.Create(CultureInfo.InvariantCulture,
            $"{plan.Options.Method} could not solve the equation from t = {plan.Control.Start:R} to {plan.Control.End:R}:");
        var after = string.Create(CultureInfo.InvariantCulture,
            $"{what} at t = {time:R} (step {step:G3}, worst component {component}). {advice}");
        return new(before, after, failure, example, time, step, component);
    }
}
