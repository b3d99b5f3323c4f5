using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Few;

/// <summary>A flow with its plan for few rows and without.</summary>
internal static class FewRows
{
    /// <summary>Computes with the plan, or without it.</summary>
    public static T With<T>(bool plan, Func<T> call)
    {
        var before = KernelSwitches.Rows;
        KernelSwitches.Rows = plan;
        try { return call(); }
        finally { KernelSwitches.Rows = before; }
    }

    /// <summary>Whether a plan answers a call for log-densities.</summary>
    public static bool IsKnown(Flow flow, Tensor x, Tensor? context = null)
    {
        using var answer = With(true, () => flow.Few(Flow.FewOf.LogProb, x, context));
        return answer is not null;
    }

    /// <summary>What all methods give; the caller disposes it, by its scope.</summary>
    public static IReadOnlyList<(string Name, Tensor Value)> All(Flow flow, Tensor x, Tensor? context, bool plan,
        ScalarType? dtype = null) =>
        With(plan, () =>
        {
            return new[]
            {
                ("LogProb", flow.LogProb(x, context)), ("BitsPerDim", flow.BitsPerDim(x, context)), ("Encode", flow.Encode(x, context)),
                ("Decode", flow.Decode(x, context, dtype)), ("Sample", flow.Sample(context is null ? x.shape[0] : 1, context, seed: 7,
                    dtype: dtype)),
            };
        });
}
