using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Runs whose elements do not all lie side by side: a block of a run after the other is copied to where they do.</summary>
internal static unsafe class ElementBlocks<TLanes, T, TKernel>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
    where TKernel : struct, IElementKernel<T>
{
    // numbers of all streams together, which stay in the first-level cache, and elements of a block
    private const int Numbers = 4096, Most = 256;

    /// <summary>Runs the kernel on the rows of a job.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(TKernel kernel, in ElementJob<T> job)
    {
        var streams = new ReadOnlySpan<Stream<T>>(job.Streams, job.Count);
        var width = TLanes.Count;
        var total = 0;
        foreach (ref readonly var stream in streams) total += Math.Max(stream.Blocks, 1);
        var size = Math.Clamp(Numbers / total / width * width, width, Most);
        var memory = stackalloc T[(total * size) + ((kernel.Scratch + 1) * width)];
        var tile = (T*)(((nint)memory + (width * sizeof(T)) - 1) & -(width * sizeof(T)));
        // what fills the last vector up is computed and thrown away
        new Span<T>(tile, total * size).Clear();
        var scratch = tile + (total * size);
        var tiles = stackalloc T*[streams.Length];
        var at = stackalloc T*[streams.Length];
        var steps = stackalloc nint[streams.Length];
        for (var s = 0; s < streams.Length; s++)
        {
            tiles[s] = tile;
            steps[s] = size;
            tile += Math.Max(streams[s].Blocks, 1) * size;
        }
        for (var row = job.Start; row < job.End; row++)
            for (long run = 0; run < job.Runs; run++)
                for (long column = 0; column < job.Inner; column += size)
                {
                    var count = (int)Math.Min(size, job.Inner - column);
                    for (var s = 0; s < streams.Length; s++)
                    {
                        at[s] = tiles[s];
                        if (!streams[s].Output) Load(streams[s], row, run, column, count, tiles[s], size);
                    }
                    for (var i = 0; i < count; i += width)
                    {
                        kernel.Run(at, steps, scratch);
                        for (var s = 0; s < streams.Length; s++) at[s] += width;
                    }
                    for (var s = 0; s < streams.Length; s++)
                        if (streams[s].IsWritten) Store(streams[s], row, run, column, count, tiles[s], size);
                }
    }

    private static void Load(in Stream<T> stream, long row, long run, long column, int count, T* to, int apart)
    {
        var from = stream.At(row, run);
        if (stream.Blocks == 0)
        {
            new Span<T>(to, count).Fill(*from);
            return;
        }
        from += column * stream.Step;
        for (var b = 0; b < stream.Blocks; b++, from += stream.Block, to += apart)
        {
            if (stream.Step == 1)
            {
                new ReadOnlySpan<T>(from, count).CopyTo(new Span<T>(to, count));
                continue;
            }
            T* element = from;
            var step = stream.Step;
            for (var i = 0; i < count; i++, element += step) to[i] = *element;
        }
    }

    private static void Store(in Stream<T> stream, long row, long run, long column, int count, T* from, int apart)
    {
        var to = stream.At(row, run) + (column * stream.Step);
        for (var b = 0; b < stream.Blocks; b++, to += stream.Block, from += apart)
        {
            if (stream.Step == 1)
            {
                new ReadOnlySpan<T>(from, count).CopyTo(new Span<T>(to, count));
                continue;
            }
            T* element = to;
            var step = stream.Step;
            for (var i = 0; i < count; i++, element += step) *element = from[i];
        }
    }
}
