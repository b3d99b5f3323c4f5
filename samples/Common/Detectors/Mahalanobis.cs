using static TorchSharp.torch;

namespace RealNvp.Samples.Common;

/// <summary>The squared Mahalanobis distance from the mean: what a normal density says.</summary>
/// <remarks>Features are standardized first, and 1e-6 is added to the diagonal of their covariance, so that
/// features that repeat each other can be inverted.</remarks>
public sealed class Mahalanobis : IDetector
{
    private const double Jitter = 1e-6;

    private readonly DetectorRows fit;
    // eigenvectors of the covariance as columns, each divided by the root of its eigenvalue
    private readonly double[,] whitening;

    /// <summary>Estimates mean and covariance.</summary>
    /// <param name="rows">float64 (N, D) on the CPU, all finite, N at least 1.</param>
    public Mahalanobis(Tensor rows)
    {
        fit = DetectorRows.Fit(rows);
        var (values, vectors) = PrincipalComponents.Of(fit);
        whitening = new double[fit.Features, fit.Features];
        for (var i = 0; i < fit.Features; i++)
            for (var j = 0; j < fit.Features; j++) whitening[i, j] = vectors[i, j] / Math.Sqrt(Math.Max(values[j], 0) + Jitter);
    }

    /// <inheritdoc/>
    public double[] Scores(Tensor rows)
    {
        var values = fit.Standardize(rows);
        var scores = new double[values.Length / fit.Features];
        for (var row = 0; row < scores.Length; row++)
            for (var j = 0; j < fit.Features; j++)
            {
                var sum = 0.0;
                for (var i = 0; i < fit.Features; i++) sum += values[(row * fit.Features) + i] * whitening[i, j];
                scores[row] += sum * sum;
            }
        return scores;
    }
}
