using static TorchSharp.torch;

namespace RealNvp.Samples.Common;

/// <summary>The distance to the k-th nearest row of the fit (Ramaswamy, Rastogi
/// and Shim, "Efficient algorithms for mining outliers", SIGMOD 2000).</summary>
/// <remarks>Features are standardized first. Time and memory are those of comparing each row with each.</remarks>
public sealed class NearestNeighbours : IDetector
{
    private readonly DetectorRows fit;
    private readonly Neighbours neighbours;
    private readonly int k;

    /// <summary>Keeps the rows.</summary>
    /// <param name="rows">float64 (N, D) on the CPU, all finite, N at least 1.</param>
    /// <param name="k">Which neighbour counts, from 1; less if there are fewer rows.</param>
    public NearestNeighbours(Tensor rows, int k = 5)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        fit = DetectorRows.Fit(rows);
        this.k = Math.Min(k, fit.Count);
        neighbours = new Neighbours(fit.Fitted, fit.Features, this.k);
    }

    /// <inheritdoc/>
    public double[] Scores(Tensor rows)
    {
        var values = fit.Standardize(rows);
        var scores = new double[values.Length / fit.Features];
        Parallel.For(0, scores.Length, () => (Places: new int[k], Distances: new double[k]), (row, _, own) =>
        {
            neighbours.Of(values.AsSpan(row * fit.Features, fit.Features), -1, own.Places, own.Distances);
            scores[row] = own.Distances[k - 1];
            return own;
        }, _ => { });
        return scores;
    }
}
