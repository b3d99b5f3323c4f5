using ScottPlot;

namespace RealNvp.Plotting;

/// <summary>Lines around the densest regions of points in the plane that hold given shares of them.</summary>
internal static class MassContours
{
    private const int Cells = 64, LeastPoints = 50;

    /// <summary>Closed lines for each share; none for fewer than 50 points, or for points on a line along an axis.</summary>
    public static IReadOnlyList<Coordinates[]> Of(double[] x, double[] y, (double Low, double High) xRange,
        (double Low, double High) yRange, double[] shares)
    {
        var (sx, sy) = (Deviation(x, xRange), Deviation(y, yRange));
        if (x.Length < LeastPoints || !(sx > 0) || !(sy > 0)) return [];
        var (width, height) = ((xRange.High - xRange.Low) / Cells, (yRange.High - yRange.Low) / Cells);
        var grid = new double[Cells, Cells];
        var inside = 0;
        for (var i = 0; i < x.Length; i++)
        {
            var (column, row) = ((x[i] - xRange.Low) / width, (y[i] - yRange.Low) / height);
            if (!(column >= 0 && column < Cells && row >= 0 && row < Cells)) continue;
            grid[(int)row, (int)column]++;
            inside++;
        }
        if (inside < LeastPoints) return [];
        // less than Scott's rule, which is made for one round hill: flows have several thin ones
        var shrink = 0.7 * Math.Pow(inside, -1.0 / 6);
        var smooth = Smooth(Smooth(grid, Math.Max(0.8, shrink * sx / width), rows: false), Math.Max(0.8, shrink * sy / height), rows: true);
        List<Coordinates[]> lines = [];
        foreach (var share in shares)
            foreach (var line in MarchingSquares.Lines(smooth, Level(smooth, share)))
                lines.Add([.. line.Select(p => new Coordinates(xRange.Low + (p.Column + 0.5) * width,
                    yRange.Low + (p.Row + 0.5) * height))]);
        return lines;
    }

    /// <summary>The height above which cells hold a share of the whole.</summary>
    public static double Level(double[,] grid, double share)
    {
        var sorted = grid.Cast<double>().OrderDescending().ToArray();
        var wanted = share * sorted.Sum();
        var sum = 0.0;
        foreach (var cell in sorted)
            if ((sum += cell) >= wanted) return cell;
        return sorted[^1];
    }

    // of what is shown: a point far away would widen the smoothing
    private static double Deviation(double[] values, (double Low, double High) range)
    {
        var (count, mean, squares) = (0, 0.0, 0.0);
        foreach (var value in values)
        {
            if (!(value >= range.Low && value <= range.High)) continue;
            var delta = value - mean;
            mean += delta / ++count;
            squares += delta * (value - mean);
        }
        return count == 0 ? 0 : Math.Sqrt(squares / count);
    }

    private static double[,] Smooth(double[,] grid, double deviation, bool rows)
    {
        var reach = Math.Min(Cells - 1, (int)Math.Ceiling(3 * deviation));
        var kernel = new double[reach + 1];
        for (var d = 0; d <= reach; d++) kernel[d] = Math.Exp(-0.5 * d * d / (deviation * deviation));
        var total = 2 * kernel.Sum() - kernel[0];
        var result = new double[Cells, Cells];
        for (var r = 0; r < Cells; r++)
            for (var c = 0; c < Cells; c++)
            {
                var sum = 0.0;
                for (var d = -reach; d <= reach; d++)
                {
                    var (a, b) = rows ? (r + d, c) : (r, c + d);
                    if (a is >= 0 and < Cells && b is >= 0 and < Cells) sum += kernel[Math.Abs(d)] * grid[a, b];
                }
                result[r, c] = sum / total;
            }
        return result;
    }
}
