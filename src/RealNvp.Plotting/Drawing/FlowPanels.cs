using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>What the panels of a flow show: density, samples and the warped grid.</summary>
internal sealed class FlowPanels
{
    private const long MaxSamples = 20_000;

    private FlowPanels(PlotData data, double[,] density, PlotData samples, PlotData gridLines) =>
        (Data, Density, Samples, GridLines) = (data, density, samples, gridLines);

    public PlotData Data { get; }

    public double[,] Density { get; }

    public PlotData Samples { get; }

    public PlotData GridLines { get; }

    public static FlowPanels Of(PlotData data, Flow flow, Tensor? context, long seed, DensityPanelsOptions options)
    {
        ArgumentNullException.ThrowIfNull(data);
        CheckPlane(flow);
        // all checks of options before the work
        PanelLayout.Of(options, samples: true, grid: true);
        data.Points(nameof(data));
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var (device, dtype) = WeightsOf(flow);
        var given = context?.to(device);
        var rows = given is null ? null : DensityGrid.OneRow(given);
        var density = DensityGrid.Evaluate(x => flow.LogProb(x.to(dtype, device), rows?.Invoke(x.size(0)), seed: 0), data, options);
        var samples = flow.Sample(Math.Min(data.Shape[0], MaxSamples), given, seed: seed).reshape(-1, 2);
        return new FlowPanels(data, density, samples, Warped(PlotBox.Square(3).GridLines(), device, dtype,
            z => flow.Decode(z, rows?.Invoke(z.size(0)))));
    }

    /// <summary>Lines (lines, points, 2), each point sent through a function.</summary>
    public static PlotData Warped(Tensor lines, Device device, ScalarType dtype, Func<Tensor, Tensor> map)
    {
        using var scope = NewDisposeScope();
        return map(lines.to(dtype, device).reshape(-1, 2)).reshape(lines.shape);
    }

    /// <summary>Refuses a flow that is not one of the plane.</summary>
    public static void CheckPlane(Flow flow)
    {
        ArgumentNullException.ThrowIfNull(flow);
        if (flow.InputShape != EventShape.Create(2) || flow.LatentShape != EventShape.Create(2))
            throw new ArgumentException(
                $"The flow has examples of shape {flow.InputShape} and latents of shape {flow.LatentShape}; expected 2-D points, (2). "
                + "CornerPlot shows samples of any number of features.", nameof(flow));
    }

    /// <summary>Where the weights of a flow are, and their dtype.</summary>
    public static (Device Device, ScalarType Dtype) WeightsOf(Flow flow) =>
        flow.parameters().Concat(flow.buffers()).FirstOrDefault(p => p.is_floating_point()) is { } weight
            ? (weight.device, weight.dtype) : (CPU, ScalarType.Float32);
}
