using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>The sizes of a <see cref="PixelProduct{TLanes}"/>, which takes two vectors at a time.</summary>
internal static class PixelProduct
{
    /// <summary>Pixels that are turned over at a time for the gradient.</summary>
    public const int Turned = 256;

    /// <summary>The numbers of a row of a gradient: C, a sum, and what fills the last vector up.</summary>
    public static int Width(int channels, int lanes) => (channels + (2 * lanes)) / (2 * lanes) * (2 * lanes);

    /// <summary>Memory that the methods need, in numbers.</summary>
    public static int Scratch(int channels, int lanes) => Math.Max(2 * channels * 2 * lanes, Turned * Width(channels, lanes));
}

/// <summary>A small matrix (C, C) times every pixel of an image that lies as C rows of pixels; and its gradient.</summary>
internal static unsafe class PixelProduct<TLanes> where TLanes : struct, ILanes<TLanes, float>
{
    private const int Turned = PixelProduct.Turned;

    private static int Block => 2 * TLanes.Count;

    /// <summary>y = M·(x + b) + c at each pixel; b may be null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* matrix, float* before, float* added, float* x, float* y, int channels, int pixels, float* scratch)
    {
        float* from = scratch, to = scratch + (channels * Block);
        var p = 0;
        for (; p <= pixels - Block; p += Block)
        {
            if (before == null)
            {
                RunBlock(matrix, added, x + p, pixels, y + p, pixels, channels);
                continue;
            }
            var row = x + p;
            for (var c = 0; c < channels; c++, row += pixels)
            {
                var b = TLanes.Create(before[c]);
                TLanes.Store(TLanes.Load(row) + b, from + (c * Block));
                TLanes.Store(TLanes.Load(row + TLanes.Count) + b, from + (c * Block) + TLanes.Count);
            }
            RunBlock(matrix, added, from, Block, y + p, pixels, channels);
        }
        var rest = pixels - p;
        if (rest == 0) return;
        for (var c = 0; c < channels; c++)
        {
            var b = before == null ? 0 : before[c];
            for (var i = 0; i < Block; i++) from[(c * Block) + i] = i < rest ? x[((long)c * pixels) + p + i] + b : 0;
        }
        RunBlock(matrix, added, from, Block, to, Block, channels);
        for (var c = 0; c < channels; c++)
            for (var i = 0; i < rest; i++) y[((long)c * pixels) + p + i] = to[(c * Block) + i];
    }

    /// <summary>Adds Σ g·(x + b)ᵀ over the pixels of an example to rows of
    /// <see cref="PixelProduct.Width"/>, and behind the C of each row Σ g; b may be null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddGradient(float* x, float* before, float* g, int channels, int pixels, float* sums, float* scratch)
    {
        var width = PixelProduct.Width(channels, TLanes.Count);
        for (var start = 0; start < pixels; start += Turned)
        {
            var count = Math.Min(Turned, pixels - start);
            for (var c = 0; c < width; c++)
            {
                float* row = x + ((long)c * pixels) + start, to = scratch + c;
                var b = before == null || c >= channels ? 0 : before[c];
                // a channel of ones gives the sums
                if (c < channels) for (var p = 0; p < count; p++, to += width) *to = row[p] + b;
                else for (var p = 0; p < count; p++, to += width) *to = c == channels ? 1 : 0;
            }
            var o = 0;
            for (; o <= channels - 4; o += 4) AddFour(g + ((long)o * pixels) + start, pixels, count, width, sums + (o * width), scratch);
            for (; o < channels; o++) AddOne(g + ((long)o * pixels) + start, count, width, sums + (o * width), scratch);
        }
    }

    private static void RunBlock(float* matrix, float* added, float* x, int xStep, float* y, int yStep, int channels)
    {
        var o = 0;
        for (; o <= channels - 4; o += 4) RunFour(matrix + (o * channels), added + o, x, xStep, y + ((long)o * yStep), yStep, channels);
        for (; o < channels; o++) RunOne(matrix + (o * channels), added + o, x, xStep, y + ((long)o * yStep), channels);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RunFour(float* m, float* added, float* x, int xStep, float* y, int yStep, int channels)
    {
        TLanes a0 = TLanes.Zero, a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
        float* m1 = m + channels, m2 = m1 + channels, m3 = m2 + channels;
        for (var i = 0; i < channels; i++, x += xStep)
        {
            TLanes left = TLanes.Load(x), right = TLanes.Load(x + TLanes.Count);
            var k = TLanes.Create(m[i]);
            TLanes.Accumulate(ref a0, k, left);
            TLanes.Accumulate(ref b0, k, right);
            k = TLanes.Create(m1[i]);
            TLanes.Accumulate(ref a1, k, left);
            TLanes.Accumulate(ref b1, k, right);
            k = TLanes.Create(m2[i]);
            TLanes.Accumulate(ref a2, k, left);
            TLanes.Accumulate(ref b2, k, right);
            k = TLanes.Create(m3[i]);
            TLanes.Accumulate(ref a3, k, left);
            TLanes.Accumulate(ref b3, k, right);
        }
        // last: a large one would take the digits of small products
        TLanes c0 = TLanes.Create(added[0]), c1 = TLanes.Create(added[1]), c2 = TLanes.Create(added[2]), c3 = TLanes.Create(added[3]);
        Store(a0 + c0, b0 + c0, y);
        Store(a1 + c1, b1 + c1, y + yStep);
        Store(a2 + c2, b2 + c2, y + (2L * yStep));
        Store(a3 + c3, b3 + c3, y + (3L * yStep));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RunOne(float* m, float* added, float* x, int xStep, float* y, int channels)
    {
        TLanes a = TLanes.Zero, b = a, c = TLanes.Create(*added);
        for (var i = 0; i < channels; i++, x += xStep)
        {
            var k = TLanes.Create(m[i]);
            TLanes.Accumulate(ref a, k, TLanes.Load(x));
            TLanes.Accumulate(ref b, k, TLanes.Load(x + TLanes.Count));
        }
        Store(a + c, b + c, y);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddFour(float* g, int step, int count, int width, float* sums, float* turned)
    {
        float* g1 = g + step, g2 = g1 + step, g3 = g2 + step;
        for (var j = 0; j < width; j += 2 * TLanes.Count)
        {
            TLanes a0 = TLanes.Create(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
            var x = turned + j;
            for (var p = 0; p < count; p++, x += width)
            {
                TLanes left = TLanes.Load(x), right = TLanes.Load(x + TLanes.Count);
                var k = TLanes.Create(g[p]);
                TLanes.Accumulate(ref a0, k, left);
                TLanes.Accumulate(ref b0, k, right);
                k = TLanes.Create(g1[p]);
                TLanes.Accumulate(ref a1, k, left);
                TLanes.Accumulate(ref b1, k, right);
                k = TLanes.Create(g2[p]);
                TLanes.Accumulate(ref a2, k, left);
                TLanes.Accumulate(ref b2, k, right);
                k = TLanes.Create(g3[p]);
                TLanes.Accumulate(ref a3, k, left);
                TLanes.Accumulate(ref b3, k, right);
            }
            Add(a0, b0, sums + j);
            Add(a1, b1, sums + width + j);
            Add(a2, b2, sums + (2 * width) + j);
            Add(a3, b3, sums + (3 * width) + j);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddOne(float* g, int count, int width, float* sums, float* turned)
    {
        for (var j = 0; j < width; j += 2 * TLanes.Count)
        {
            TLanes a = TLanes.Create(0), b = a;
            var x = turned + j;
            for (var p = 0; p < count; p++, x += width)
            {
                var k = TLanes.Create(g[p]);
                TLanes.Accumulate(ref a, k, TLanes.Load(x));
                TLanes.Accumulate(ref b, k, TLanes.Load(x + TLanes.Count));
            }
            Add(a, b, sums + j);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(TLanes a, TLanes b, float* to)
    {
        TLanes.Store(a, to);
        TLanes.Store(b, to + TLanes.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(TLanes a, TLanes b, float* to) => Store(TLanes.Load(to) + a, TLanes.Load(to + TLanes.Count) + b, to);
}
