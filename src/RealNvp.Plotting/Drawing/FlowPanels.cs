using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>What the panels of a flow show: density, samples and the warped grid.</summary>
internal sealed class FlowPanels
{
    private const long MaxSamples = 20_000;

    private FlowPanels(PlotData data, DensityGrid density, PlotData samples, PlotData gridLines) =>
        (Data, Density, Samples, GridLines) = (data, density, samples, gridLines);

    public PlotData Data { get; }

    public DensityGrid Density { get; }

    public PlotData Samples { get; }

    public PlotData GridLines { get; }

    public static FlowPanels Of(Flow flow, PlotData data, PlotData? context, long seed, DensityPanelsOptions options)
    {
        FlowInput.CheckPlane(flow);
        ArgumentNullException.ThrowIfNull(data);
        // all checks of options before the work
        PanelLayout.Of(options, 4, null);
        data.Points(nameof(data));
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var (device, dtype) = FlowInput.WeightsOf(flow);
        var rows = FlowInput.OneContext(flow, context);
        var density = DensityGrid.Evaluate(x => flow.LogProb(x.to(dtype, device), rows?.Invoke(x.size(0)), seed: 0), data, options);
        var samples = flow.Sample(Math.Min(data.Shape[0], MaxSamples), rows?.Invoke(1), seed: seed).reshape(-1, 2);
        return new FlowPanels(data, density, samples, Warped(PlotBox.Square(3).GridLines(), device, dtype,
            z => flow.Decode(z, rows?.Invoke(z.size(0)))));
    }

    /// <summary>Lines (lines, points, 2), each point sent through a function.</summary>
    public static PlotData Warped(Tensor lines, Device device, ScalarType dtype, Func<Tensor, Tensor> map)
    {
        using var scope = NewDisposeScope();
        return map(lines.to(dtype, device).reshape(-1, 2)).reshape(lines.shape);
    }
}
