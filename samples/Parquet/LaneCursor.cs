namespace RealNvp.Samples.Parquet;

/// <summary>A walk through the row groups of a lane, with the rows of one in memory.</summary>
internal sealed class LaneCursor
{
    private readonly ParquetTable table;
    private readonly int[] groups;
    private readonly long? seed;
    private float[] values = [];
    private int[] order = [];
    private int next, at;

    /// <summary>Begins before the first row.</summary>
    /// <param name="table">The table.</param>
    /// <param name="lane">The number of the lane.</param>
    /// <param name="groups">The lane's row groups.</param>
    /// <param name="seed">Mixes row groups, and the rows of each; null leaves their order.</param>
    public LaneCursor(ParquetTable table, int lane, int[] groups, long? seed)
    {
        (this.table, this.groups, this.seed) = (table, [.. groups], seed);
        if (seed is { } mixed) Randomness(mixed, -1 - lane).Shuffle(this.groups);
        Left = groups.Sum(g => (long)table.GroupRows[g]);
    }

    /// <summary>The rows to come.</summary>
    public long Left { get; private set; }

    /// <summary>Leaves out rows. Row groups that are left out as a whole are not read.</summary>
    public void Skip(long rows)
    {
        while (rows > 0 && Left > 0)
        {
            var here = order.Length - at;
            if (here == 0 && rows >= table.GroupRows[groups[next]])
            {
                rows -= table.GroupRows[groups[next]];
                Left -= table.GroupRows[groups[next++]];
                continue;
            }
            if (here == 0) Read();
            var some = (int)Math.Min(rows, order.Length - at);
            (at, rows, Left) = (at + some, rows - some, Left - some);
        }
    }

    /// <summary>Writes the next rows, one after another.</summary>
    /// <returns>The count of numbers written.</returns>
    public int Take(Span<float> into, int rows)
    {
        var (columns, written) = (table.Columns.Count, 0);
        for (; rows > 0 && Left > 0; rows--, Left--)
        {
            if (at == order.Length) Read();
            var row = order[at++];
            for (var c = 0; c < columns; c++) into[written++] = values[(c * order.Length) + row];
        }
        return written;
    }

    private void Read()
    {
        var group = groups[next++];
        var rows = table.GroupRows[group];
        if (values.Length < rows * table.Columns.Count) values = new float[rows * table.Columns.Count];
        table.Read(group, values.AsMemory(0, rows * table.Columns.Count));
        if (order.Length != rows) order = new int[rows];
        for (var i = 0; i < rows; i++) order[i] = i;
        if (seed is { } mixed) Randomness(mixed, group).Shuffle(order);
        at = 0;
    }

    // the same on all machines: HashCode is another one in each process
    private static Random Randomness(long seed, int of) =>
        new(unchecked((int)((((ulong)seed * 6364136223846793005) + ((ulong)(of + 1L) * 1442695040888963407)) >> 33)));
}
