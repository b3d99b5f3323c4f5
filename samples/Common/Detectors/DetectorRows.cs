using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Common;

/// <summary>Rows of a detector: checked, and in units of the deviations of those that it was fitted to.</summary>
internal sealed class DetectorRows
{
    private readonly double[] mean, deviation;

    private DetectorRows(double[] mean, double[] deviation, double[] rows)
    {
        (this.mean, this.deviation) = (mean, deviation);
        Fitted = Standardized(rows);
    }

    /// <summary>D.</summary>
    public int Features => mean.Length;

    /// <summary>The rows of the fit, one after the other, each feature with mean 0 and variance 1; a constant one is 0.</summary>
    public double[] Fitted { get; }

    /// <summary>The number of rows of the fit.</summary>
    public int Count => Fitted.Length / Features;

    /// <summary>Takes rows for a fit.</summary>
    /// <param name="rows">float64 (N, D) on the CPU, all finite, N and D at least 1.</param>
    public static DetectorRows Fit(Tensor rows)
    {
        var values = Values(rows);
        var (count, features) = ((int)rows.shape[0], (int)rows.shape[1]);
        var (mean, deviation) = (new double[features], new double[features]);
        for (var f = 0; f < features; f++)
        {
            for (var i = f; i < values.Length; i += features) mean[f] += values[i] / count;
            for (var i = f; i < values.Length; i += features) deviation[f] += (values[i] - mean[f]) * (values[i] - mean[f]) / count;
            deviation[f] = Math.Sqrt(deviation[f]);
            if (!(deviation[f] > 1e-12 * Math.Abs(mean[f]))) deviation[f] = 1;
        }
        return new DetectorRows(mean, deviation, values);
    }

    /// <summary>New rows in the same units, one after the other.</summary>
    /// <param name="rows">float64 (N, D) on the CPU, all finite.</param>
    public double[] Standardize(Tensor rows) => Standardized(Values(rows, Features));

    /// <summary>The values of checked rows, one row after the other.</summary>
    /// <param name="rows">float64 (N, D) on the CPU, all finite, N and D at least 1.</param>
    /// <param name="features">The D of the fit; null for any.</param>
    public static double[] Values(Tensor rows, int? features = null)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.dim() != 2 || rows.dtype != float64 || rows.device_type != DeviceType.CPU || rows.shape[0] < 1 || rows.shape[1] < 1)
            throw new ArgumentException(
                $"Expected float64 (N, D) on the CPU, N and D at least 1; got {rows.dtype} ({string.Join(", ", rows.shape)}) on " +
                $"{rows.device_type}.", nameof(rows));
        if (features is { } expected && rows.shape[1] != expected)
            throw new ArgumentException($"The detector was fitted to {expected} features; got {rows.shape[1]}.", nameof(rows));
        var values = rows.data<double>().ToArray();
        var bad = Array.FindIndex(values, v => !double.IsFinite(v));
        return bad < 0 ? values
            : throw new ArgumentException(FormattableString.Invariant(
            $"Row {bad / rows.shape[1]}, feature {bad % rows.shape[1]} is {values[bad]}; expected finite numbers."), nameof(rows));
    }

    private double[] Standardized(double[] rows)
    {
        var result = new double[rows.Length];
        for (var i = 0; i < rows.Length; i++) result[i] = (rows[i] - mean[i % mean.Length]) / deviation[i % mean.Length];
        return result;
    }
}
