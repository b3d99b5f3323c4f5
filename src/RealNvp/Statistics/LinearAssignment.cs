namespace RealNvp.Internal;

/// <summary>The assignment of n rows to n columns with the smallest sum of costs, exactly: shortest
/// augmenting paths (Jonker and Volgenant, Computing 38, 1987), n³ steps at worst.</summary>
internal sealed class LinearAssignment
{
    private const int None = -1;

    private readonly double[] costs, price, distance;
    private readonly int count;
    private readonly int[] columnOf, rowOf, before, columns;

    private LinearAssignment(double[] costs, int count)
    {
        (this.costs, this.count) = (costs, count);
        (price, distance) = (new double[count], new double[count]);
        (columnOf, rowOf, before, columns) = (new int[count], new int[count], new int[count], new int[count]);
        Array.Fill(columnOf, None);
        Array.Fill(rowOf, None);
    }

    /// <summary>The column of each row.</summary>
    /// <param name="costs">n² finite costs, row by row.</param>
    /// <param name="count">n.</param>
    public static int[] Solve(double[] costs, int count)
    {
        var solver = new LinearAssignment(costs, count);
        solver.Reduce();
        for (var pass = 0; pass < 2; pass++) solver.AugmentRows();
        for (var row = 0; row < count; row++)
            if (solver.columnOf[row] == None) solver.Augment(row);
        return solver.columnOf;
    }

    // the price of a column is its smallest cost, and a row that has it free takes it
    private void Reduce()
    {
        for (var j = count - 1; j >= 0; j--)
        {
            var least = 0;
            for (var i = 1; i < count; i++)
                if (costs[(i * count) + j] < costs[(least * count) + j]) least = i;
            price[j] = costs[(least * count) + j];
            if (columnOf[least] != None) continue;
            (columnOf[least], rowOf[j]) = (j, least);
        }
    }

    // a row without a column takes its cheapest one, at the price at which the second is as good, and who had it looks on
    private void AugmentRows()
    {
        var open = new Stack<int>(Enumerable.Range(0, count).Where(i => columnOf[i] == None).Reverse());
        // equal prices may go round in a circle
        for (var tries = 4 * count; open.Count > 0 && tries > 0; tries--)
        {
            var row = open.Pop();
            var (best, second, first) = (double.PositiveInfinity, double.PositiveInfinity, None);
            for (var j = 0; j < count; j++)
            {
                var reduced = costs[(row * count) + j] - price[j];
                if (reduced < best) (second, best, first) = (best, reduced, j);
                else if (reduced < second) second = reduced;
            }
            if (first == None) return;
            var old = rowOf[first];
            if (double.IsFinite(second) && best < second) price[first] -= second - best;
            else if (old != None) continue;
            (columnOf[row], rowOf[first]) = (first, row);
            if (old == None) continue;
            columnOf[old] = None;
            open.Push(old);
        }
    }

    // the shortest way of reduced costs from a row to a free column (Dijkstra), along which the pairs change
    private void Augment(int start)
    {
        for (var j = 0; j < count; j++) (distance[j], before[j], columns[j]) = (costs[(start * count) + j] - price[j], start, j);
        // columns up to done are settled, those up to near are as near as the nearest
        var (done, near, least) = (0, 0, 0.0);
        var end = None;
        while (end == None)
        {
            if (done == near)
            {
                least = distance[columns[near]];
                near++;
                for (var k = near; k < count; k++)
                {
                    var j = columns[k];
                    if (distance[j] > least) continue;
                    if (distance[j] < least) (near, least) = (done, distance[j]);
                    (columns[k], columns[near]) = (columns[near], j);
                    near++;
                }
                for (var k = done; k < near && end == None; k++)
                    if (rowOf[columns[k]] == None) end = columns[k];
                if (end != None) break;
            }
            var settled = columns[done++];
            var row = rowOf[settled];
            var offset = costs[(row * count) + settled] - price[settled] - least;
            for (var k = near; k < count; k++)
            {
                var j = columns[k];
                var way = costs[(row * count) + j] - price[j] - offset;
                if (way >= distance[j]) continue;
                (distance[j], before[j]) = (way, row);
                if (way > least) continue;
                if (rowOf[j] == None)
                {
                    end = j;
                    break;
                }
                (columns[k], columns[near]) = (columns[near], j);
                near++;
            }
        }
        for (var k = 0; k < done; k++) price[columns[k]] += distance[columns[k]] - least;
        for (int column = end, row; ; column = Next(row, column))
        {
            row = before[column];
            rowOf[column] = row;
            if (row == start)
            {
                columnOf[row] = column;
                return;
            }
        }

        int Next(int row, int column)
        {
            var old = columnOf[row];
            columnOf[row] = column;
            return old;
        }
    }
}
