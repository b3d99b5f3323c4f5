using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>A tensor (N, B·M) as an elementwise kernel reads or writes it: in each row B blocks of M elements, one a parameter.</summary>
/// <param name="Start">The first element.</param>
/// <param name="Row">From one row to the next, in elements.</param>
/// <param name="Blocks">B; 0 for one number a row, which all of its elements get.</param>
/// <param name="Output">Whether it is written.</param>
internal readonly unsafe record struct Stream<T>(nint Start, long Row, int Blocks, bool Output) where T : unmanaged
{
    public T* At(long row) => (T*)Start + (row * Row);
}

/// <summary>What an elementwise kernel does with one vector of elements.</summary>
internal unsafe interface IElementKernel<T> where T : unmanaged
{
    /// <summary>How many numbers of memory of its own <see cref="Run"/> needs for each lane.</summary>
    int Scratch { get; }

    /// <summary>Computes one vector.</summary>
    /// <param name="at">Where the first block of each stream has it.</param>
    /// <param name="steps">From one block of a stream to the next.</param>
    /// <param name="scratch">Memory of its own.</param>
    void Run(T** at, nint* steps, T* scratch);
}

/// <summary>Cuts rows of elements into full vectors.</summary>
/// <remarks>
/// Elements of a row that fill vectors are used where they lie: each parameter of neighbours is one load. The last vector of a row takes some elements a
/// second time, with the same result, where that adds less than a sixth to the work: so outputs must not lie where inputs do. Else what is left of rows, or all of a
/// row that is shorter than a vector, is gathered from as many rows as it takes to fill one.
/// </remarks>
internal static unsafe class ElementTiles<TLanes, T, TKernel>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
    where TKernel : struct, IElementKernel<T>
{
    /// <summary>Runs the kernel on rows <paramref name="start"/> ... <paramref name="end"/> of <paramref name="inner"/> elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(TKernel kernel, ReadOnlySpan<Stream<T>> streams, long inner, long start, long end)
    {
        var width = TLanes.Count;
        var total = 0;
        foreach (var stream in streams) total += Math.Max(stream.Blocks, 1);
        var memory = stackalloc T[(total + kernel.Scratch + 1) * width];
        // vectors of the stack on the boundaries of cache lines
        var tile = (T*)(((nint)memory + (width * sizeof(T)) - 1) & -(width * sizeof(T)));
        var scratch = tile + (total * width);
        var tiles = stackalloc T*[streams.Length];
        var at = stackalloc T*[streams.Length];
        var steps = stackalloc nint[streams.Length];
        var tileSteps = stackalloc nint[streams.Length];
        // all bits where a stream moves on along a row
        var moves = stackalloc long[streams.Length];
        for (var s = 0; s < streams.Length; s++)
        {
            tiles[s] = tile;
            (tileSteps[s], steps[s], moves[s]) = (width, (nint)inner, streams[s].Blocks == 0 ? 0 : -1);
            tile += Math.Max(streams[s].Blocks, 1) * width;
        }
        new Span<T>(tiles[0], total * width).Clear();
        // the pieces of rows in the tile
        var rows = stackalloc long[width];
        var columns = stackalloc long[width];
        var counts = stackalloc int[width];
        int pieces = 0, filled = 0;
        var direct = inner > width && (width - (inner % width)) * 6 <= inner ? inner : inner / width * width;
        for (var row = start; row < end; row++)
        {
            if (direct > 0) Begin(streams, row, tiles, at);
            for (long column = 0; column < direct; column += width)
            {
                kernel.Run(at, steps, scratch);
                // the last vector of a row ends with it
                var step = Math.Min(width, inner - width - column);
                for (var s = 0; s < streams.Length; s++) at[s] += step & moves[s];
            }
            for (var column = direct; column < inner;)
            {
                var count = (int)Math.Min(inner - column, width - filled);
                (rows[pieces], columns[pieces], counts[pieces]) = (row, column, count);
                pieces++;
                filled += count;
                column += count;
                if (filled < width) continue;
                Flush(ref kernel, streams, inner, tiles, tileSteps, scratch, rows, columns, counts, pieces);
                (pieces, filled) = (0, 0);
            }
        }
        if (pieces > 0) Flush(ref kernel, streams, inner, tiles, tileSteps, scratch, rows, columns, counts, pieces);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Begin(ReadOnlySpan<Stream<T>> streams, long row, T** tiles, T** at)
    {
        for (var s = 0; s < streams.Length; s++)
        {
            ref readonly var stream = ref streams[s];
            at[s] = stream.At(row);
            if (stream.Blocks > 0) continue;
            TLanes.Store(TLanes.Create(*at[s]), tiles[s]);
            at[s] = tiles[s];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Flush(ref TKernel kernel, ReadOnlySpan<Stream<T>> streams, long inner, T** tiles, nint* steps, T* scratch, long* rows, long* columns, int* counts, int pieces)
    {
        var width = TLanes.Count;
        for (var s = 0; s < streams.Length; s++)
        {
            ref readonly var stream = ref streams[s];
            if (stream.Output) continue;
            var lane = tiles[s];
            for (var i = 0; i < pieces; lane += counts[i], i++)
            {
                if (stream.Blocks == 0) new Span<T>(lane, counts[i]).Fill(*stream.At(rows[i]));
                else Copy(stream.At(rows[i]) + columns[i], inner, lane, width, counts[i], stream.Blocks);
            }
        }
        kernel.Run(tiles, steps, scratch);
        for (var s = 0; s < streams.Length; s++)
        {
            ref readonly var stream = ref streams[s];
            if (!stream.Output) continue;
            var lane = tiles[s];
            for (var i = 0; i < pieces; lane += counts[i], i++)
                Copy(lane, width, stream.At(rows[i]) + columns[i], inner, counts[i], stream.Blocks);
        }
    }

    /// <summary>Copies blocks of a few elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Copy(T* from, long fromStep, T* to, long toStep, int count, int blocks)
    {
        switch (count)
        {
            case 1:
                for (var b = 0; b < blocks; b++, from += fromStep, to += toStep) *to = *from;
                break;
            case >= 4 and < 8 when TLanes.Count >= 4:
                // two vectors of four that overlap
                for (var b = 0; b < blocks; b++, from += fromStep, to += toStep) Halves<Four>(from, to, count);
                break;
            case >= 8 when TLanes.Count >= 8:
                for (var b = 0; b < blocks; b++, from += fromStep, to += toStep) Halves<Eight>(from, to, count);
                break;
            default:
                for (var b = 0; b < blocks; b++, from += fromStep, to += toStep)
                    for (var i = 0; i < count; i++) to[i] = from[i];
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Halves<TBlock>(T* from, T* to, int count) where TBlock : unmanaged, IBlock
    {
        var rest = count - TBlock.Count;
        Unsafe.CopyBlockUnaligned(to, from, (uint)(TBlock.Count * sizeof(T)));
        Unsafe.CopyBlockUnaligned(to + rest, from + rest, (uint)(TBlock.Count * sizeof(T)));
    }

    private interface IBlock
    {
        static abstract int Count { get; }
    }

    private readonly struct Four : IBlock
    {
        public static int Count => 4;
    }

    private readonly struct Eight : IBlock
    {
        public static int Count => 8;
    }
}
