namespace RealNvp.Kernels;

/// <summary>Where a masked weight (outputs, inputs) has anything, so that products
/// skip the rest: about half, where units see those before them.</summary>
internal sealed class DenseBand
{
    // blocks of outputs and of inputs, as narrow as the narrowest panel
    private const int Width = 8;
    private readonly (int First, int End)[] outputs, inputs;

    /// <summary>Reads a mask.</summary>
    /// <param name="rows">The number of outputs.</param>
    /// <param name="columns">The number of inputs.</param>
    /// <param name="sees">Whether an output sees an input.</param>
    public DenseBand(long rows, long columns, Func<int, int, bool> sees)
    {
        (outputs, inputs) = (Empty(rows, columns), Empty(columns, rows));
        InputsOf = (output, count) => Union(outputs, output, count);
        OutputsOf = (input, count) => Union(inputs, input, count);
        for (var row = 0; row < rows; row++)
            for (var column = 0; column < columns; column++)
            {
                if (!sees(row, column)) continue;
                Extend(ref outputs[row / Width], column);
                Extend(ref inputs[column / Width], row);
            }
    }

    /// <summary>For a first output and a number of outputs, the inputs that any of them sees.</summary>
    public Func<int, int, (int First, int End)> InputsOf { get; }

    /// <summary>For a first input and a number of inputs, the outputs that see any of them.</summary>
    public Func<int, int, (int First, int End)> OutputsOf { get; }

    private static (int First, int End)[] Empty(long count, long range)
    {
        var blocks = new (int, int)[(count + Width - 1) / Width];
        Array.Fill(blocks, ((int)range, 0));
        return blocks;
    }

    private static void Extend(ref (int First, int End) range, int at) => range = (Math.Min(range.First, at), Math.Max(range.End, at + 1));

    private static (int First, int End) Union((int First, int End)[] blocks, int start, int count)
    {
        var (first, end) = (int.MaxValue, 0);
        for (var i = start / Width; i < blocks.Length && i * Width < start + count; i++)
            (first, end) = (Math.Min(first, blocks[i].First), Math.Max(end, blocks[i].End));
        return end <= first ? (0, 0) : (first, end);
    }
}
