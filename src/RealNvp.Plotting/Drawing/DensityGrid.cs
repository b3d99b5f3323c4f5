using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>A log-density on a grid of cells, as densities from 0 to 1 that a colour map takes.</summary>
internal sealed class DensityGrid
{
    private const int BatchSize = 16_384;

    private DensityGrid(double[,] cells, double logHighest) => (Cells, LogHighest) = (cells, logHighest);

    /// <summary>Densities, 1 for the highest that has a colour of its own.</summary>
    public double[,] Cells { get; }

    /// <summary>The highest density that has a colour of its own, as a text for the bar of colours.</summary>
    public string Highest => Math.Exp(LogHighest) is var density && double.IsNormal(density) ? NumberText.Of(density, 3)
        : $"e^{NumberText.Fixed(LogHighest, 0)}";

    private double LogHighest { get; }

    public static DensityGrid Of(PlotData logDensity)
    {
        ArgumentNullException.ThrowIfNull(logDensity);
        var (shape, numbers) = (logDensity.Shape, logDensity.Numbers.ToArray());
        Check.Shape([.. shape], [-1, -1], "(rows, columns)", nameof(logDensity));
        return Scaled(numbers, (int)shape[0], (int)shape[1]);
    }

    public static DensityGrid Evaluate(LogProbFunction logDensity, PlotData data, DensityPanelsOptions options, Tensor? context)
    {
        ArgumentNullException.ThrowIfNull(logDensity);
        return Evaluate((x, c) => logDensity(x, c, seed: 0), data, options, context);
    }

    public static DensityGrid Evaluate(Func<Tensor, Tensor?, Tensor> logDensity, PlotData data, DensityPanelsOptions options,
        Tensor? context)
    {
        ArgumentNullException.ThrowIfNull(logDensity);
        if (context is null) return Evaluate(x => logDensity(x, null), data, options);
        var rows = FlowInput.OneRow(context);
        return Evaluate(x => logDensity(x, rows(x.size(0))), data, options);
    }

    public static DensityGrid Evaluate(Func<Tensor, Tensor> logDensity, PlotData data, DensityPanelsOptions options)
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
    private static DensityGrid Scaled(double[] logs, int rows, int columns)
    {
        Check.Finite(logs, "logDensity", double.IsNegativeInfinity);
        var sorted = logs.Where(double.IsFinite).Order().ToArray();
        var top = sorted.Length == 0 ? 0 : RobustRange.Quantile(sorted, 0.995);
        var scaled = new double[rows, columns];
        for (var i = 0; i < logs.Length; i++) scaled[i / columns, i % columns] = Math.Min(1, Math.Exp(logs[i] - top));
        return new(scaled, top);
    }
}
