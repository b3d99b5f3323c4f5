using static TorchSharp.torch;

namespace RealNvp.Samples.Common;

/// <summary>Local outlier factor (Breunig, Kriegel, Ng and Sander, SIGMOD 2000): how much sparser it is around a
/// row than around its neighbours. About 1 for usual rows.</summary>
/// <remarks>
/// New rows are compared with those of the fit alone. Features are standardized first. Rows that are repeated more than k times have
/// no finite density; 1e-10 is added to the mean distance, as scikit-learn does.
/// </remarks>
public sealed class LocalOutlierFactor : IDetector
{
    private const double Least = 1e-10;

    private readonly DetectorRows fit;
    private readonly Neighbours neighbours;
    private readonly int k;
    // of the rows of the fit: the distance to the k-th neighbour, and the local reachability density, definitions 3 and 6
    private readonly double[] reach, density;

    /// <summary>Finds the neighbours of the rows among themselves.</summary>
    /// <param name="rows">float64 (N, D) on the CPU, all finite, N at least 2.</param>
    /// <param name="k">The number of neighbours (MinPts), from 1; N − 1 if there are fewer.</param>
    public LocalOutlierFactor(Tensor rows, int k = 20)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        fit = DetectorRows.Fit(rows);
        if (fit.Count < 2) throw new ArgumentException("The local outlier factor needs at least 2 rows; got 1.", nameof(rows));
        this.k = Math.Min(k, fit.Count - 1);
        neighbours = new Neighbours(fit.Fitted, fit.Features, this.k);
        reach = new double[fit.Count];
        density = new double[fit.Count];
        var places = new int[fit.Count][];
        var distances = new double[fit.Count][];
        Parallel.For(0, fit.Count, row =>
        {
            (places[row], distances[row]) = (new int[this.k], new double[this.k]);
            neighbours.Of(fit.Fitted.AsSpan(row * fit.Features, fit.Features), row, places[row], distances[row]);
            reach[row] = distances[row][this.k - 1];
        });
        for (var row = 0; row < fit.Count; row++) density[row] = Density(places[row], distances[row]);
    }

    /// <inheritdoc/>
    public double[] Scores(Tensor rows)
    {
        var values = fit.Standardize(rows);
        var scores = new double[values.Length / fit.Features];
        Parallel.For(0, scores.Length, () => (Places: new int[k], Distances: new double[k]), (row, _, own) =>
        {
            neighbours.Of(values.AsSpan(row * fit.Features, fit.Features), -1, own.Places, own.Distances);
            scores[row] = own.Places.Average(p => density[p]) / Density(own.Places, own.Distances);
            return own;
        }, _ => { });
        return scores;
    }

    // one over the mean reachability distance, which is never below the k-distance of the neighbour
    private double Density(int[] places, double[] distances)
    {
        var sum = 0.0;
        for (var i = 0; i < k; i++) sum += Math.Max(reach[places[i]], distances[i]);
        return 1 / ((sum / k) + Least);
    }
}
