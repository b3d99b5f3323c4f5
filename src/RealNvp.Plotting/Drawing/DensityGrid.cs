using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>A log-density on a grid of cells, as densities from 0 to 1 that a colour map takes.</summary>
internal static class DensityGrid
{
    private const int BatchSize = 16_384;

    public static double[,] Of(PlotData logDensity)
    {
        ArgumentNullException.ThrowIfNull(logDensity);
        var (shape, numbers) = (logDensity.Shape, logDensity.Numbers.ToArray());
        Check.Shape([.. shape], [-1, -1], "(rows, columns)", nameof(logDensity));
        return Scaled(numbers, (int)shape[0], (int)shape[1]);
    }

    public static double[,] Evaluate(LogProbFunction logDensity, PlotData data, DensityPanelsOptions options, Tensor? context)
    {
        ArgumentNullException.ThrowIfNull(logDensity);
        return Evaluate((x, c) => logDensity(x, c, seed: 0), data, options, context);
    }

    public static double[,] Evaluate(Func<Tensor, Tensor?, Tensor> logDensity, PlotData data, DensityPanelsOptions options, Tensor? context)
    {
        ArgumentNullException.ThrowIfNull(logDensity);
        if (context is null) return Evaluate(x => logDensity(x, null), data, options);
        var rows = OneRow(context);
        return Evaluate(x => logDensity(x, rows(x.size(0))), data, options);
    }

    /// <summary>A context (1, ...) as often as it is needed.</summary>
    public static Func<long, Tensor> OneRow(Tensor context)
    {
        if (context.Dimensions < 1 || context.size(0) != 1)
            throw new ArgumentException(
                $"context has shape {Check.Shape(context)}; expected one context, (1, ...), since a picture shows one density.",
                    nameof(context));
        return count => context.expand([count, .. context.shape[1..]]);
    }

    public static double[,] Evaluate(Func<Tensor, Tensor> logDensity, PlotData data, DensityPanelsOptions options)
    {
        ArgumentNullException.ThrowIfNull(logDensity);
        var n = options.Resolution;
        var numbers = new double[n * n];
        using var outer = NewDisposeScope();
        using var _ = no_grad();
        var points = options.Box.CellCentres(n, n).to(data.Dtype, data.Device);
        for (var start = 0; start < n * n; start += BatchSize)
        {
            using var scope = NewDisposeScope();
            var count = Math.Min(BatchSize, n * n - start);
            using var values = logDensity(points.narrow(0, start, count));
            if (values is null || values.Dimensions != 1 || values.size(0) != count)
                throw new ArgumentException(
                    $"logDensity returned {(values is null ? "null" : $"shape {Check.Shape(values)}")} for points of shape ({count}, " +
                        $"2); expected one log-density for each point, shape ({count},).",
                    nameof(logDensity));
            Check.Numbers(values, nameof(logDensity)).CopyTo(numbers, start);
        }
        return Scaled(numbers, n, n);
    }

    /// <summary>
    /// exp(log p - c), at most 1. c is the largest log p, or its 99.5 % quantile where that has a density, since a single
    /// sharp peak would leave the rest of the picture black.
    /// </summary>
    private static double[,] Scaled(double[] logs, int rows, int columns)
    {
        Check.Finite(logs, "logDensity", double.IsNegativeInfinity);
        var sorted = logs.Where(double.IsFinite).Order().ToArray();
        var top = sorted.Length == 0 ? 0 : RobustRange.Quantile(sorted, 0.995);
        var scaled = new double[rows, columns];
        for (var i = 0; i < logs.Length; i++) scaled[i / columns, i % columns] = Math.Min(1, Math.Exp(logs[i] - top));
        return scaled;
    }
}
