using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>A log-density on a grid of cells, as densities from 0 to 1 that a colour map takes.</summary>
internal static class DensityGrid
{
    private const int BatchSize = 16_384;

    public static double[,] Of(Tensor logDensity)
    {
        Check.Shape(logDensity, [-1, -1], "(rows, columns)", nameof(logDensity));
        return Scaled(Check.Numbers(logDensity, nameof(logDensity)), (int)logDensity.size(0), (int)logDensity.size(1));
    }

    public static double[,] Evaluate(Func<Tensor, Tensor> logDensity, Tensor data, DensityPanelsOptions options)
    {
        ArgumentNullException.ThrowIfNull(logDensity);
        Check.Shape(data, [-1, 2], "(N, 2)", nameof(data));
        var n = options.Resolution;
        var numbers = new double[n * n];
        using var outer = NewDisposeScope();
        using var _ = no_grad();
        var points = options.Box.CellCentres(n, n).to(data.is_floating_point() ? data.dtype : ScalarType.Float32, data.device);
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
