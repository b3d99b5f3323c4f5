namespace RealNvp.Plotting;

/// <summary>Lines of equal height on a grid.</summary>
internal static class MarchingSquares
{
    /// <summary>Closed lines at a height above 0, in rows and columns of the grid's points; outside of the grid the height is 0.</summary>
    public static List<List<(double Row, double Column)>> Lines(double[,] grid, double level)
    {
        var (rows, columns) = (grid.GetLength(0), grid.GetLength(1));
        double At(int r, int c) => r >= 0 && c >= 0 && r < rows && c < columns ? grid[r, c] : 0;

        // each crossed edge of the grid is a point of a line, and joins two others
        Dictionary<(int Row, int Column, bool Upright), List<(int, int, bool)>> joined = [];
        void Join((int, int, bool) a, (int, int, bool) b)
        {
            if (!joined.TryGetValue(a, out var ofA)) joined[a] = ofA = [];
            if (!joined.TryGetValue(b, out var ofB)) joined[b] = ofB = [];
            ofA.Add(b);
            ofB.Add(a);
        }
        for (var r = -1; r < rows; r++)
            for (var c = -1; c < columns; c++)
            {
                var (a, b, d, e) = (At(r, c) > level, At(r, c + 1) > level, At(r + 1, c + 1) > level, At(r + 1, c) > level);
                (int, int, bool) bottom = (r, c, false), right = (r, c + 1, true), top = (r + 1, c, false), left = (r, c, true);
                List<(int, int, bool)> crossed = [];
                if (a != b) crossed.Add(bottom);
                if (b != d) crossed.Add(right);
                if (d != e) crossed.Add(top);
                if (e != a) crossed.Add(left);
                if (crossed.Count == 2) Join(crossed[0], crossed[1]);
                else if (crossed.Count == 4)
                {
                    // a saddle: the mean decides which corners belong together
                    var high = (At(r, c) + At(r, c + 1) + At(r + 1, c + 1) + At(r + 1, c)) / 4 > level;
                    if (high == a)
                    {
                        Join(bottom, right);
                        Join(top, left);
                    }
                    else
                    {
                        Join(bottom, left);
                        Join(top, right);
                    }
                }
            }

        (double, double) Place((int Row, int Column, bool Upright) edge)
        {
            var (r, c) = (edge.Row, edge.Column);
            var (from, to) = (At(r, c), edge.Upright ? At(r + 1, c) : At(r, c + 1));
            var share = (level - from) / (to - from);
            return edge.Upright ? (r + share, c) : (r, c + share);
        }

        List<List<(double, double)>> lines = [];
        while (joined.Count > 0)
        {
            var start = joined.Keys.First();
            List<(double, double)> line = [Place(start)];
            var (at, next) = (start, joined[start][0]);
            while (next != start)
            {
                line.Add(Place(next));
                var neighbours = joined[next];
                var following = neighbours[0] == at ? neighbours[1] : neighbours[0];
                joined.Remove(next);
                (at, next) = (next, following);
            }
            joined.Remove(start);
            line.Add(line[0]);
            lines.Add(line);
        }
        return lines;
    }
}
