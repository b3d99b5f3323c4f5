namespace RealNvp.Kernels;

/// <summary>Which map some of the features have that a coupling changes.</summary>
/// <param name="map">The map.</param>
/// <param name="columns">The numbers of these features among all that change.</param>
internal sealed class RowGroup(RowMap map, int[] columns)
{
    public RowMap Map => map;

    public int[] Columns => columns;
}

/// <summary>What a network reads of a row: some numbers as they are, and of some angles the cosine and the sine.</summary>
/// <param name="at">The features that it sees as they are.</param>
/// <param name="angles">Those that are positions on circles.</param>
/// <param name="low">The lower edge of each circle.</param>
/// <param name="high">The upper edge.</param>
internal sealed unsafe class RowReading(int[] at, int[] angles, double low = 0, double high = 1)
{
    private readonly double frequency = 2 * Math.PI / (high - low);

    public void Read(in RowBlock block, float* to, nint stride)
    {
        CouplingShape.Gather(block.X, block.Features, at, to, stride, block.Rows);
        if (angles.Length == 0) return;
        var x = block.X;
        for (var row = 0; row < block.Rows; row++, x += block.Features, to += stride)
            for (var i = 0; i < angles.Length; i++)
            {
                var (sin, cos) = Math.SinCos((x[angles[i]] - low) * frequency);
                (to[at.Length + i], to[at.Length + angles.Length + i]) = ((float)cos, (float)sin);
            }
    }
}

/// <summary>A coupling, or an autoregressive layer in the direction of one pass: a network reads features, maps change features.</summary>
/// <param name="reading">What the network reads.</param>
/// <param name="changedAt">The features that change, in their order.</param>
/// <param name="network">Gives P parameters of each feature that changes: those of the first kind of all features, and so on.</param>
/// <param name="groups">The maps; each feature that changes is in one.</param>
internal sealed unsafe class CouplingRows(RowReading reading, int[] changedAt, RowNetwork network, RowGroup[] groups) : RowStep
{
    public override long Scratch
    {
        get
        {
            long elements = (long)RowBlock.Most * changedAt.Length, most = 0;
            foreach (var group in groups)
                most = Math.Max(most, group.Map.Scratch((long)RowBlock.Most * group.Columns.Length)
                    + (groups.Length > 1 ? RowScratch.Size((group.Map.Parameters + 3) * (long)RowBlock.Most * group.Columns.Length) : 0));
            return network.Scratch + RowScratch.Size((long)RowBlock.Most * network.InputStride)
                + RowScratch.Size((long)RowBlock.Most * network.OutputStride) + (3 * RowScratch.Size(elements)) + most;
        }
    }

    public override void Run(in RowBlock block, bool inverse)
    {
        var columns = changedAt.Length;
        var scratch = new RowScratch(block.Scratch);
        var read = scratch.Take((long)RowBlock.Most * network.InputStride);
        var raw = scratch.Take((long)RowBlock.Most * network.OutputStride);
        reading.Read(block, read, network.InputStride);
        network.Run(read, block, scratch.Take(network.Scratch), raw);
        var elements = (long)RowBlock.Most * columns;
        var map = new CouplingBlock { Rows = block.Rows, Columns = columns, Input = scratch.Take(elements), Raw = raw,
            RawRow = network.OutputStride, Value = scratch.Take(elements), LogDerivative = scratch.Take(elements) };
        CouplingShape.Gather(block.X, block.Features, changedAt, map.Input, columns, block.Rows);
        if (groups.Length == 1) groups[0].Map.Run(map, inverse, scratch.Take(0));
        else
            foreach (var group in groups) Part(group, map, inverse, scratch);
        Write(block, map);
    }

    private static void Part(RowGroup group, in CouplingBlock all, bool inverse, RowScratch scratch)
    {
        var (at, count) = (group.Columns, group.Columns.Length);
        var elements = (long)RowBlock.Most * count;
        var memory = scratch.Take((group.Map.Parameters + 3) * elements);
        var part = new CouplingBlock { Rows = all.Rows, Columns = count, RawRow = (nint)group.Map.Parameters * count, Raw = memory,
            Input = memory + (group.Map.Parameters * elements), Value = memory + ((group.Map.Parameters + 1) * elements),
            LogDerivative = memory + ((group.Map.Parameters + 2) * elements) };
        CouplingShape.Gather(all.Input, all.Columns, at, part.Input, count, all.Rows);
        for (nint row = 0; row < all.Rows; row++)
            for (nint p = 0; p < group.Map.Parameters; p++)
                for (var i = 0; i < count; i++)
                    part.Raw[(row * part.RawRow) + (p * count) + i] = all.Raw[(row * all.RawRow) + (p * all.Columns) + at[i]];
        group.Map.Run(part, inverse, scratch.Take(0));
        for (nint row = 0; row < all.Rows; row++)
            for (var i = 0; i < count; i++)
            {
                all.Value[(row * all.Columns) + at[i]] = part.Value[(row * count) + i];
                all.LogDerivative[(row * all.Columns) + at[i]] = part.LogDerivative[(row * count) + i];
            }
    }

    private void Write(in RowBlock block, in CouplingBlock map)
    {
        float* x = block.X, value = map.Value, logDerivative = map.LogDerivative;
        for (var row = 0; row < block.Rows; row++, x += block.Features)
        {
            double sum = 0;
            for (var i = 0; i < changedAt.Length; i++)
            {
                x[changedAt[i]] = *value++;
                sum += *logDerivative++;
            }
            block.LogDet[row] += sum;
        }
    }
}
