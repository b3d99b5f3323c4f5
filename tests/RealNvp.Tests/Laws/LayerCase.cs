using RealNvp.Checking;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Laws;

/// <summary>One row of the table of layers: how to make a layer, and inputs that it accepts.</summary>
public sealed record LayerCase(string Name, Func<Bijection> Make, EventShape Shape)
{
    /// <summary>Settings of the check; ours are held to 1e-9 in float64.</summary>
    public FlowCheckOptions Options { get; init; } = new() { Float64Tolerance = 1e-9 };

    /// <summary>The spread of the parameters that stands for "far from the initialization".</summary>
    public double FarSpread { get; init; } = 1;

    /// <summary>Whether a check takes so long that the one far from the initialization is left to the slow tests.</summary>
    public bool IsSlow { get; init; }

    /// <summary>Whether it takes half a minute, so that both are left to them.</summary>
    public bool IsVerySlow { get; init; }

    /// <summary>Makes examples that the layer accepts; normal numbers where null.</summary>
    public Func<Tensor>? Sample { get; init; }

    public FlowCheckReport Verify(Func<FlowCheckOptions, FlowCheckOptions>? with = null)
    {
        var options = with is null ? Options : with(Options);
        using var sample = Sample?.Invoke();
        return sample is null ? FlowCheck.Verify(Make, Shape, options) : FlowCheck.Verify(Make, sample, options);
    }

    public override string ToString() => Name;
}
