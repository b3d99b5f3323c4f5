namespace RealNvp.Kernels;

/// <summary>The fused part of a step: a table of the parameters' memory, cut into chunks, and the two passes over it.</summary>
/// <remarks>
/// The chunks depend on the parameters only. Each gives one partial sum of squares, and those are added in order, so that the norm and
/// with it every result is the same for any number of threads.
/// </remarks>
internal sealed unsafe class AdamPass : KernelTeam
{
    /// <summary>Elements of a chunk; a parameter has at most one shorter one.</summary>
    internal const int ChunkLength = 16384;

    // Elements of a part, which one thread takes at a time, and of a step that is worth a second thread: some 20 and 100 µs.
    private const int PartLength = 32768, ThreadLength = 131072;

    private readonly AdamBlock[] blocks;
    private readonly (int Block, int Start, int End)[] chunks;
    private readonly double[] sums;
    private readonly int[] firstChunks;
    private int blockCount, chunkCount, partCount;
    private long length, partLength;
    private bool applying;

    /// <summary>A pass for parameters of these lengths.</summary>
    public AdamPass(IEnumerable<int> lengths)
    {
        var all = lengths.ToArray();
        blocks = new AdamBlock[all.Length];
        chunks = new (int, int, int)[all.Sum(n => (n + ChunkLength - 1) / ChunkLength)];
        sums = new double[chunks.Length];
        firstChunks = new int[chunks.Length + 1];
    }

    /// <summary>Begins a step.</summary>
    public void Clear()
    {
        (blockCount, chunkCount, partCount) = (0, 0, 0);
        (length, partLength) = (0, PartLength);
    }

    /// <summary>Adds a parameter that has a gradient; its number in this step.</summary>
    public int Add(in AdamBlock block)
    {
        blocks[blockCount] = block;
        for (var start = 0; start < block.Length; start += ChunkLength)
        {
            if (partLength >= PartLength)
            {
                firstChunks[partCount++] = chunkCount;
                partLength = 0;
            }
            var end = Math.Min(block.Length, start + ChunkLength);
            chunks[chunkCount++] = (blockCount, start, end);
            partLength += end - start;
        }
        firstChunks[partCount] = chunkCount;
        length += block.Length;
        return blockCount++;
    }

    /// <summary>Says how a parameter that was added is updated, and which moving
    /// average with it, at <paramref name="average"/> unless that is null.</summary>
    public void SetStep(int index, in AdamStep step, void* average, double share)
    {
        ref var block = ref blocks[index];
        block.Step = step;
        if (average == null) return;
        block.WeightAverage = average;
        block.Share = share;
    }

    /// <summary>The sum of squares of all gradients.</summary>
    public double SumOfSquares()
    {
        RunPass(apply: false);
        double sum = 0;
        foreach (var part in sums.AsSpan(0, chunkCount)) sum += part;
        return sum;
    }

    /// <summary>Updates parameters, state and moving averages.</summary>
    public void Apply() => RunPass(apply: true);

    /// <inheritdoc/>
    protected override void Run(int part)
    {
        for (var i = firstChunks[part]; i < firstChunks[part + 1]; i++)
        {
            var (index, start, end) = chunks[i];
            ref readonly var block = ref blocks[index];
            if (!applying) sums[i] = block.IsDouble
                ? AdamKernel.SumOfSquares((double*)block.Gradient + start, end - start)
                : AdamKernel.SumOfSquares((float*)block.Gradient + start, end - start);
            else if (block.IsDouble) AdamKernel.Apply<double>(block, start, end);
            else AdamKernel.Apply<float>(block, start, end);
        }
    }

    private void RunPass(bool apply)
    {
        applying = apply;
        RunAll(partCount, length >= ThreadLength ? KernelThreads.Count : 1);
    }
}
