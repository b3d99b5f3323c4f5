using System.Globalization;
using RealNvp.Describing;
using static TorchSharp.torch;

namespace RealNvp.Checking;

/// <summary>One check: a law, on one kind of input, in one dtype.</summary>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed record FlowCheckResult
{
    /// <summary>The law.</summary>
    public required FlowLaw Law { get; init; }

    /// <summary>The input, such as "x: zeros" or "z: extremes (±10000)", and the parameter if there is one.</summary>
    public required string Input { get; init; }

    /// <summary>float64 or float32.</summary>
    public required ScalarType Dtype { get; init; }

    /// <summary>How it ended.</summary>
    public required FlowCheckOutcome Outcome { get; init; }

    /// <summary>By how much the law is broken; NaN if a call threw, 0 or 1 if the law is a yes or no.</summary>
    public required double Error { get; init; }

    /// <summary>The largest error that passes, with the allowance for rounding at this input.</summary>
    public required double Tolerance { get; init; }

    /// <summary>What was found and what was expected; empty if the law holds.</summary>
    public string Detail { get; init; } = "";

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
