using static TorchSharp.torch;

namespace RealNvp.Ode;

/// <summary>A solve, with gradients if they are wanted.</summary>
internal static class OdeRun
{
    /// <summary>y at the end (N, M), or at all times (T, N, M). In the caller's dispose scope.</summary>
    public static (Tensor Value, OdeStatistics Statistics) Solve(OdeSystem system, Tensor start, IReadOnlyList<Tensor> given, OdePlan plan,
        bool all)
    {
        var loop = new OdeLoop(plan, new OdeStepper(system, plan, start.device));
        var value = loop.Run(start, given);
        if (all && !plan.IsDense) value = stack([start, value]);
        return (value, loop.Statistics);
    }
}
