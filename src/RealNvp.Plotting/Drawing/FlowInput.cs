using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>Numbers of a user as a flow takes them: in its shape, its dtype
/// and on its device. The caller's dispose scope owns them.</summary>
internal static class FlowInput
{
    /// <summary>The names of the columns of a flow that pictures can show; null if they are not known.</summary>
    public static IReadOnlyList<string>? Names(Flow flow) => flow.Info.Columns is { } names && !names.Any(string.IsNullOrWhiteSpace)
        ? names : null;

    /// <summary>Rows (N, ...) of examples, N at least 1.</summary>
    public static Tensor Rows(Flow flow, PlotData? data, string name)
    {
        ArgumentNullException.ThrowIfNull(flow);
        ArgumentNullException.ThrowIfNull(data, name);
        var shape = flow.InputShape;
        var rows = data.Shape.Count == 0 ? 0 : data.Shape[0];
        var numbers = data.Numbers.ToArray();
        // an image may come as a row of its pixels
        if (rows < 1 || (shape.IsFixed && numbers.Length != rows * shape.NumElements))
            throw new ArgumentException(
                $"{name} has shape {data.ShapeText}; expected (N, ...) with at least one row of shape {shape}, as the flow has examples.",
                    name);
        Check.Finite(numbers, name);
        var (device, dtype) = WeightsOf(flow);
        return tensor(numbers, shape.IsFixed ? [rows, .. shape] : [.. data.Shape], device: CPU).to(dtype, device);
    }

    /// <summary>Contexts, one for each of <paramref name="rows"/> rows; null of null.</summary>
    public static Tensor? Contexts(Flow flow, PlotData? context, long rows)
    {
        if (context is null) return null;
        if (context.Shape.Count == 0 || context.Shape[0] != rows)
            throw new ArgumentException(
                $"context has shape {context.ShapeText}; expected one row for each of the {rows} rows of examples.", nameof(context));
        return Given(flow, context);
    }

    /// <summary>One context, as often as it is asked for; null of null.</summary>
    public static Func<long, Tensor>? OneContext(Flow flow, PlotData? context) => context is null ? null : OneRow(Given(flow, context));

    /// <summary>A context (1, ...) as often as it is needed.</summary>
    public static Func<long, Tensor> OneRow(Tensor context)
    {
        if (context.Dimensions < 1 || context.size(0) != 1)
            throw new ArgumentException(
                $"context has shape {Check.Shape(context)}; expected one context, (1, ...), since a picture shows one density.",
                    nameof(context));
        return count => context.expand([count, .. context.shape[1..]]);
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

    /// <summary>Scores −log p(x) of rows: the higher, the less usual.</summary>
    public static PlotData Scores(Flow flow, PlotData x, PlotData? context, string name)
    {
        using var scope = NewDisposeScope();
        var rows = Rows(flow, x, name);
        return flow.LogProb(rows, Contexts(flow, context, rows.size(0)), seed: 0).neg();
    }

    // labels stay whole numbers, which an encoder of labels wants
    private static Tensor Given(Flow flow, PlotData context)
    {
        Check.Finite(context.Numbers.ToArray(), nameof(context));
        var (device, dtype) = WeightsOf(flow);
        return tensor(context.Numbers.ToArray(), [.. context.Shape], device: CPU).to(context.IsWhole ? ScalarType.Int64 : dtype, device);
    }
}
