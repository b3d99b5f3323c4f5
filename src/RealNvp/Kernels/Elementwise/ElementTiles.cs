using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Cuts rows of elements into full vectors.</summary>
/// <remarks>
/// <para>Elements of a run that fill vectors are used where they lie: each parameter of neighbours is one load.
/// The last vector of a run takes some elements a second time, with the same result, where that adds less than
/// a sixth to the work: so outputs must not lie where inputs do. Else what is left of runs, or all of a run
/// that is shorter than a vector, is gathered from as many runs as it takes to fill one.</para>
/// <para>Where neighbours of a stream lie apart, as parameters do in images that lie
/// channels last, runs go through <see cref="ElementBlocks{TLanes, T, TKernel}"/>.</para>
/// </remarks>
internal static unsafe class ElementTiles<TLanes, T, TKernel>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
    where TKernel : struct, IElementKernel<T>
{
    /// <summary>Runs the kernel on the rows of a job.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(TKernel kernel, in ElementJob<T> job)
    {
        var streams = new ReadOnlySpan<Stream<T>>(job.Streams, job.Count);
        var (inner, runs) = (job.Inner, job.Runs);
        var width = TLanes.Count;
        var total = 0;
        var isInPlace = false;
        foreach (ref readonly var stream in streams)
        {
            if (stream.Blocks > 0 && stream.Step != 1)
            {
                ElementBlocks<TLanes, T, TKernel>.Run(kernel, job);
                return;
            }
            total += Math.Max(stream.Blocks, 1);
            isInPlace |= stream.InPlace;
        }
        var memory = stackalloc T[(total + kernel.Scratch + 1) * width];
        // vectors of the stack on the boundaries of cache lines
        var tile = (T*)(((nint)memory + (width * sizeof(T)) - 1) & -(width * sizeof(T)));
        var scratch = tile + (total * width);
        var tiles = stackalloc T*[streams.Length];
        var at = stackalloc T*[streams.Length];
        var steps = stackalloc nint[streams.Length];
        var tileSteps = stackalloc nint[streams.Length];
        // all bits where a stream moves on along a run
        var moves = stackalloc long[streams.Length];
        for (var s = 0; s < streams.Length; s++)
        {
            tiles[s] = tile;
            (tileSteps[s], steps[s], moves[s]) = (width, (nint)streams[s].Block, streams[s].Blocks == 0 ? 0 : -1);
            tile += Math.Max(streams[s].Blocks, 1) * width;
        }
        new Span<T>(tiles[0], total * width).Clear();
        // the pieces of runs in the tile
        var pieces = stackalloc Piece[width];
        int count = 0, filled = 0;
        var direct = !isInPlace && inner > width && (width - (inner % width)) * 6 <= inner ? inner : inner / width * width;
        for (var row = job.Start; row < job.End; row++)
            for (long run = 0; run < runs; run++)
            {
                if (direct > 0) Begin(streams, row, run, tiles, at);
                for (long column = 0; column < direct; column += width)
                {
                    kernel.Run(at, steps, scratch);
                    // the last vector of a run ends with it
                    var step = Math.Min(width, inner - width - column);
                    for (var s = 0; s < streams.Length; s++) at[s] += step & moves[s];
                }
                for (var column = direct; column < inner;)
                {
                    var some = (int)Math.Min(inner - column, width - filled);
                    pieces[count++] = new Piece { Row = row, Run = run, Column = column, Count = some };
                    filled += some;
                    column += some;
                    if (filled < width) continue;
                    Flush(ref kernel, streams, tiles, tileSteps, scratch, pieces, count);
                    (count, filled) = (0, 0);
                }
            }
        if (count > 0) Flush(ref kernel, streams, tiles, tileSteps, scratch, pieces, count);
    }

    private struct Piece
    {
        public long Row, Run, Column;
        public int Count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Begin(ReadOnlySpan<Stream<T>> streams, long row, long run, T** tiles, T** at)
    {
        for (var s = 0; s < streams.Length; s++)
        {
            ref readonly var stream = ref streams[s];
            at[s] = stream.At(row, run);
            if (stream.Blocks > 0) continue;
            TLanes.Store(TLanes.Create(*at[s]), tiles[s]);
            at[s] = tiles[s];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Flush(ref TKernel kernel, ReadOnlySpan<Stream<T>> streams, T** tiles, nint* steps, T* scratch, Piece* pieces,
        int count)
    {
        // vectors of few pieces need no copy of each
        var wide = ElementPieces.IsSupported && TLanes.Count * sizeof(T) == 64 && count <= ElementPieces.Most;
        var masks = default(ElementPieces);
        if (wide)
            for (int piece = 0, lane = 0; piece < ElementPieces.Most; piece++)
            {
                var end = piece < count ? lane + (pieces[piece].Count * Words) : lane;
                masks.Set(piece, lane, end);
                lane = end;
            }
        var places = stackalloc float*[ElementPieces.Most];
        for (var s = 0; s < streams.Length; s++)
        {
            if (streams[s].Output) continue;
            if (wide && streams[s].Blocks > 0)
            {
                Places(streams[s], pieces, count, places);
                masks.Load(places, (nint)streams[s].Block * Words, (float*)tiles[s], streams[s].Blocks);
            }
            else Gather(streams[s], tiles[s], pieces, count);
        }
        kernel.Run(tiles, steps, scratch);
        for (var s = 0; s < streams.Length; s++)
        {
            if (!streams[s].IsWritten) continue;
            if (wide)
            {
                Places(streams[s], pieces, count, places);
                masks.Store((float*)tiles[s], places, (nint)streams[s].Block * Words, streams[s].Blocks);
            }
            else Scatter(streams[s], tiles[s], pieces, count);
        }
    }

    // lanes of four bytes in an element
    private static int Words => sizeof(T) / sizeof(float);

    // where the first lane of each piece's vector would be
    private static void Places(in Stream<T> stream, Piece* pieces, int count, float** places)
    {
        var lane = 0;
        for (var i = 0; i < ElementPieces.Most; i++)
        {
            // a piece that is none has no lane; its place must be one that may be computed
            places[i] = i < count ? (float*)(stream.At(pieces[i].Row, pieces[i].Run) + pieces[i].Column - lane) : places[0];
            if (i < count) lane += pieces[i].Count;
        }
    }

    private static void Gather(in Stream<T> stream, T* lane, Piece* pieces, int count)
    {
        int blocks = stream.Blocks, width = TLanes.Count;
        long block = stream.Block;
        for (var piece = pieces; piece < pieces + count; lane += piece->Count, piece++)
        {
            var from = stream.At(piece->Row, piece->Run);
            if (blocks == 0) new Span<T>(lane, piece->Count).Fill(*from);
            else if (piece->Count == 1) One(from + piece->Column, block, lane, width, blocks);
            else Copy(from + piece->Column, block, lane, width, piece->Count, blocks);
        }
    }

    private static void Scatter(in Stream<T> stream, T* lane, Piece* pieces, int count)
    {
        int blocks = stream.Blocks, width = TLanes.Count;
        long block = stream.Block;
        for (var piece = pieces; piece < pieces + count; lane += piece->Count, piece++)
        {
            var to = stream.At(piece->Row, piece->Run) + piece->Column;
            if (piece->Count == 1) One(lane, width, to, block, blocks);
            else Copy(lane, width, to, block, piece->Count, blocks);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void One(T* from, long fromStep, T* to, long toStep, int blocks)
    {
        for (var b = 0; b < blocks; b++, from += fromStep, to += toStep) *to = *from;
    }

    /// <summary>Copies blocks of a few elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Copy(T* from, long fromStep, T* to, long toStep, int count, int blocks)
    {
        switch (count)
        {
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
