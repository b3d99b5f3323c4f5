using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>Which map some of the features have that a coupling changes.</summary>
/// <param name="map">The map.</param>
/// <param name="columns">The numbers of these features among all that change.</param>
internal sealed class RowGroup<T>(RowMap<T> map, int[] columns) where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public RowMap<T> Map => map;

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

    public void Read<T>(in RowBlock block, T* to, nint stride) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        RowColumns.Gather(block, at, to, stride);
        if (angles.Length == 0) return;
        var x = block.X;
        for (var row = 0; row < block.Rows; row++, x += block.Features, to += stride)
            for (var i = 0; i < angles.Length; i++)
            {
                var (sin, cos) = Math.SinCos((x[angles[i]] - low) * frequency);
                (to[at.Length + i], to[at.Length + angles.Length + i]) = (T.CreateTruncating(cos), T.CreateTruncating(sin));
            }
    }
}

/// <summary>Some columns of rows.</summary>
internal static unsafe class RowColumns
{
    /// <summary>Copies columns side by side.</summary>
    public static void Gather<T>(in RowBlock block, int[] at, T* to, nint stride) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var x = block.X;
        for (var row = 0; row < block.Rows; row++, x += block.Features, to += stride)
            for (var i = 0; i < at.Length; i++) to[i] = T.CreateTruncating(x[at[i]]);
    }

    /// <summary>Copies the first columns.</summary>
    public static void Copy<T>(double* from, nint fromStride, T* to, nint toStride, int rows, int columns)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        for (var row = 0; row < rows; row++, from += fromStride, to += toStride)
            for (var i = 0; i < columns; i++) to[i] = T.CreateTruncating(from[i]);
    }

    /// <summary>Puts the values of a map in the place of columns, and adds its log-derivatives.</summary>
    public static void Put<T>(in RowBlock block, int[] at, in RowElements<T> elements) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var x = block.X;
        T* value = elements.Value, logDerivative = elements.LogDerivative;
        for (var row = 0; row < block.Rows; row++, x += block.Features)
        {
            double sum = 0;
            for (var i = 0; i < at.Length; i++)
            {
                x[at[i]] = double.CreateTruncating(*value++);
                sum += double.CreateTruncating(*logDerivative++);
            }
            block.LogDet[row] += sum;
        }
    }
}

/// <summary>A coupling, or an autoregressive layer in the direction of one pass: a network reads features, maps change features.</summary>
/// <param name="reading">What the network reads.</param>
/// <param name="changedAt">The features that change, in their order.</param>
/// <param name="network">Gives P parameters of each feature that changes: those of the first kind of all features, and so on.</param>
/// <param name="groups">The maps; each feature that changes is in one.</param>
internal sealed unsafe class CouplingRows<T>(RowReading reading, int[] changedAt, RowNetwork<T> network, RowGroup<T>[] groups) : RowStep
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public override long Scratch
    {
        get
        {
            long elements = (long)RowBlock.Most * changedAt.Length, most = 0;
            foreach (var group in groups)
                most = Math.Max(most, group.Map.Scratch((long)RowBlock.Most * group.Columns.Length)
                    + (groups.Length == 1 ? 0
                        : RowScratch.Size<T>((group.Map.Parameters + 3) * (long)RowBlock.Most * group.Columns.Length)));
            return network.Scratch + RowScratch.Size<T>((long)RowBlock.Most * network.InputStride)
                + RowScratch.Size<T>((long)RowBlock.Most * network.OutputStride) + (3 * RowScratch.Size<T>(elements)) + most;
        }
    }

    public override void Run(in RowBlock block, bool inverse)
    {
        var columns = changedAt.Length;
        var scratch = new RowScratch(block.Scratch);
        var read = scratch.Take<T>((long)RowBlock.Most * network.InputStride);
        var raw = scratch.Take<T>((long)RowBlock.Most * network.OutputStride);
        reading.Read(block, read, network.InputStride);
        network.Run(read, block, scratch.Take(network.Scratch), raw);
        var size = (long)RowBlock.Most * columns;
        var elements = new RowElements<T> { Rows = block.Rows, Columns = columns, Input = scratch.Take<T>(size), Raw = raw,
            RawRow = network.OutputStride, Value = scratch.Take<T>(size), LogDerivative = scratch.Take<T>(size) };
        RowColumns.Gather(block, changedAt, elements.Input, columns);
        if (groups.Length == 1) groups[0].Map.Run(elements, block, inverse, scratch.Take(0));
        else
            foreach (var group in groups) Part(group, elements, block, inverse, scratch);
        RowColumns.Put(block, changedAt, elements);
    }

    private static void Part(RowGroup<T> group, in RowElements<T> all, in RowBlock block, bool inverse, RowScratch scratch)
    {
        var (at, count) = (group.Columns, group.Columns.Length);
        var size = (long)RowBlock.Most * count;
        var memory = scratch.Take<T>((group.Map.Parameters + 3) * size);
        var part = new RowElements<T> { Rows = all.Rows, Columns = count, RawRow = (nint)group.Map.Parameters * count, Raw = memory,
            Input = memory + (group.Map.Parameters * size), Value = memory + ((group.Map.Parameters + 1) * size),
            LogDerivative = memory + ((group.Map.Parameters + 2) * size) };
        for (nint row = 0; row < all.Rows; row++)
        {
            for (var i = 0; i < count; i++) part.Input[(row * count) + i] = all.Input[(row * all.Columns) + at[i]];
            for (nint p = 0; p < group.Map.Parameters; p++)
                for (var i = 0; i < count; i++)
                    part.Raw[(row * part.RawRow) + (p * count) + i] = all.Raw[(row * all.RawRow) + (p * all.Columns) + at[i]];
        }
        group.Map.Run(part, block, inverse, scratch.Take(0));
        for (nint row = 0; row < all.Rows; row++)
            for (var i = 0; i < count; i++)
            {
                all.Value[(row * all.Columns) + at[i]] = part.Value[(row * count) + i];
                all.LogDerivative[(row * all.Columns) + at[i]] = part.LogDerivative[(row * count) + i];
            }
    }
}
