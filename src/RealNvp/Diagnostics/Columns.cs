namespace RealNvp;

/// <summary>Columns of numbers in common units.</summary>
internal static class Columns
{
    /// <summary>Takes from each column its mean, in place, and divides it by its standard deviation; a constant column becomes 0.</summary>
    /// <param name="values">Row by row, finite.</param>
    /// <param name="columns">The numbers of a row.</param>
    public static void Standardize(double[] values, int columns)
    {
        for (var c = 0; c < columns; c++)
        {
            var (most, rows) = (0.0, values.Length / columns);
            for (var i = c; i < values.Length; i += columns) most = Math.Max(most, Math.Abs(values[i]));
            if (most == 0) continue;
            // squares of numbers of any size are neither 0 nor infinite in units of the largest
            var (mean, squares) = (0.0, 0.0);
            for (var i = c; i < values.Length; i += columns) mean += (values[i] /= most) / rows;
            for (var i = c; i < values.Length; i += columns) squares += (values[i] - mean) * (values[i] - mean);
            var deviation = squares > 0 ? Math.Sqrt(squares / rows) : 1;
            for (var i = c; i < values.Length; i += columns) values[i] = (values[i] - mean) / deviation;
        }
    }
}
