using System.Globalization;
using RealNvp.Describing;
using static TorchSharp.torch;

namespace RealNvp.Checking;

/// <summary>One check: a law, on one kind of input, in one dtype.</summary>
/// <param name="Law">The law.</param>
/// <param name="Input">The input, such as "x: zeros" or "z: extremes (±10000)", and the parameter if there is one.</param>
/// <param name="Dtype">float64 or float32.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Error">By how much the law is broken; NaN if a call threw, 0 or 1 if the law is a yes or no.</param>
/// <param name="Tolerance">The largest error that passes, with the allowance for rounding at this input.</param>
/// <param name="Detail">What was found and what was expected; empty if the law holds.</param>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed record FlowCheckResult(FlowLaw Law, string Input, ScalarType Dtype, FlowCheckOutcome Outcome, double Error, double Tolerance,
    string Detail)
{
    /// <summary>True unless the law is broken.</summary>
    public bool Passed => Outcome != FlowCheckOutcome.Failed;

    /// <summary>Law, input, dtype, error and tolerance in one line.</summary>
    public override string ToString()
    {
        var detail = Detail.Length == 0 ? "" : $" {Detail}";
        return string.Create(CultureInfo.InvariantCulture,
            $"{Law} {Outcome.ToString().ToLowerInvariant()} in {Name(Dtype)} at {Input}: error {Error:0.###e+00}, tolerance " +
            $"{Tolerance:0.###e+00}.{detail}");
    }

    internal static string Name(ScalarType dtype) => dtype.ToString().ToLowerInvariant();
}
