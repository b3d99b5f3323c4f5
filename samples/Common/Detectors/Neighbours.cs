namespace RealNvp.Samples.Common;

/// <summary>The nearest of some rows, by Euclidean distance, found by comparing with each.</summary>
/// <param name="rows">The rows, one after the other; only read.</param>
/// <param name="features">D.</param>
/// <param name="k">How many are wanted, fewer than there are rows.</param>
internal sealed class Neighbours(double[] rows, int features, int k)
{
    /// <summary>The k nearest rows to a point, the nearest first.</summary>
    /// <param name="point">D numbers.</param>
    /// <param name="without">A row that does not count, such as the point itself; −1 for none.</param>
    /// <param name="places">Gets the k rows.</param>
    /// <param name="distances">Gets their distances.</param>
    public void Of(ReadOnlySpan<double> point, int without, Span<int> places, Span<double> distances)
    {
        distances.Fill(double.PositiveInfinity);
        places.Fill(-1);
        var most = double.PositiveInfinity;
        for (int row = 0, start = 0; start < rows.Length; row++, start += features)
        {
            if (row == without) continue;
            var sum = 0.0;
            // a row that is farther than the k-th so far is left as soon as that shows
            for (var f = 0; f < features && sum < most; f++)
            {
                var d = rows[start + f] - point[f];
                sum += d * d;
            }
            if (!(sum < most)) continue;
            var place = k - 1;
            for (; place > 0 && distances[place - 1] > sum; place--)
                (distances[place], places[place]) = (distances[place - 1], places[place - 1]);
            (distances[place], places[place]) = (sum, row);
            most = distances[k - 1];
        }
        foreach (ref var d in distances) d = Math.Sqrt(d);
    }
}
