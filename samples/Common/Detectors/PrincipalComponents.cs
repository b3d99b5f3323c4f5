using static TorchSharp.torch;

namespace RealNvp.Samples.Common;

/// <summary>The squared distance of a row from the subspace of the first principal
/// components, those that hold nine tenths of the variance.</summary>
/// <remarks>Features are standardized first. If no component is left over, all rows score 0.</remarks>
public sealed class PrincipalComponents : IDetector
{
    private readonly DetectorRows fit;
    // the components that are left over, a row each
    private readonly double[][] rest;

    /// <summary>Finds the components.</summary>
    /// <param name="rows">float64 (N, D) on the CPU, all finite, N at least 1.</param>
    /// <param name="variance">The part of the variance that the subspace holds at least, in (0, 1).</param>
    public PrincipalComponents(Tensor rows, double variance = 0.9)
    {
        if (!(variance is > 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(variance), variance, "Expected a part of the variance, in (0, 1).");
        fit = DetectorRows.Fit(rows);
        var (values, vectors) = Of(fit);
        // from the last, which is the largest, until they hold enough
        var (kept, held, all) = (fit.Features, 0.0, values.Sum());
        while (kept > 0 && held < variance * all) held += values[--kept];
        rest = [.. Enumerable.Range(0, kept).Select(j => Enumerable.Range(0, fit.Features).Select(i => vectors[i, j]).ToArray())];
    }

    /// <inheritdoc/>
    public double[] Scores(Tensor rows)
    {
        var values = fit.Standardize(rows);
        var scores = new double[values.Length / fit.Features];
        for (var row = 0; row < scores.Length; row++)
            foreach (var component in rest)
            {
                var sum = 0.0;
                for (var i = 0; i < fit.Features; i++) sum += values[(row * fit.Features) + i] * component[i];
                scores[row] += sum * sum;
            }
        return scores;
    }

    /// <summary>Eigenvalues of the covariance of standardized rows, the least first, and their vectors as columns.</summary>
    internal static (double[] Values, double[,] Vectors) Of(DetectorRows rows)
    {
        using var scope = NewDisposeScope();
        var x = tensor(rows.Fitted, [rows.Count, rows.Features]);
        var (values, vectors) = linalg.eigh(x.t().mm(x) / rows.Count);
        var result = new double[rows.Features, rows.Features];
        var numbers = vectors.contiguous().data<double>().ToArray();
        Buffer.BlockCopy(numbers, 0, result, 0, numbers.Length * sizeof(double));
        return (values.data<double>().ToArray(), result);
    }
}
