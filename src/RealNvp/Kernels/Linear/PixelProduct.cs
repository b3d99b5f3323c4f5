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

    /// <summary>y = M·x + c at each pixel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* matrix, float* shift, float* x, float* y, int channels, int pixels, float* scratch)
    {
        var p = 0;
        for (; p <= pixels - Block; p += Block) RunBlock(matrix, shift, x + p, y + p, channels, pixels);
        var rest = pixels - p;
        if (rest == 0) return;
        float* from = scratch, to = scratch + (channels * Block);
        for (var c = 0; c < channels; c++)
            for (var i = 0; i < Block; i++) from[(c * Block) + i] = i < rest ? x[((long)c * pixels) + p + i] : 0;
        RunBlock(matrix, shift, from, to, channels, Block);
        for (var c = 0; c < channels; c++)
            for (var i = 0; i < rest; i++) y[((long)c * pixels) + p + i] = to[(c * Block) + i];
    }

    /// <summary>Adds Σ g·xᵀ over the pixels of an example to rows of
    /// <see cref="PixelProduct.Width"/>, and behind the C of each row Σ g.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddGradient(float* x, float* g, int channels, int pixels, float* sums, float* scratch)
    {
        var width = PixelProduct.Width(channels, TLanes.Count);
        for (var start = 0; start < pixels; start += Turned)
        {
            var count = Math.Min(Turned, pixels - start);
            for (var c = 0; c < width; c++)
            {
                float* row = x + ((long)c * pixels) + start, to = scratch + c;
                // a channel of ones gives the sums
                if (c < channels) for (var p = 0; p < count; p++, to += width) *to = row[p];
                else for (var p = 0; p < count; p++, to += width) *to = c == channels ? 1 : 0;
            }
            var o = 0;
            for (; o <= channels - 4; o += 4) AddFour(g + ((long)o * pixels) + start, pixels, count, width, sums + (o * width), scratch);
            for (; o < channels; o++) AddOne(g + ((long)o * pixels) + start, count, width, sums + (o * width), scratch);
        }
    }

    private static void RunBlock(float* matrix, float* shift, float* x, float* y, int channels, int step)
    {
        var o = 0;
        for (; o <= channels - 4; o += 4) RunFour(matrix + (o * channels), shift + o, x, y + ((long)o * step), channels, step);
        for (; o < channels; o++) RunOne(matrix + (o * channels), shift + o, x, y + ((long)o * step), channels, step);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RunFour(float* m, float* shift, float* x, float* y, int channels, int step)
    {
        TLanes a0 = TLanes.Create(shift[0]), a1 = TLanes.Create(shift[1]), a2 = TLanes.Create(shift[2]), a3 = TLanes.Create(shift[3]);
        TLanes b0 = a0, b1 = a1, b2 = a2, b3 = a3;
        float* m1 = m + channels, m2 = m1 + channels, m3 = m2 + channels;
        for (var i = 0; i < channels; i++, x += step)
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
        Store(a0, b0, y);
        Store(a1, b1, y + step);
        Store(a2, b2, y + (2L * step));
        Store(a3, b3, y + (3L * step));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RunOne(float* m, float* shift, float* x, float* y, int channels, int step)
    {
        TLanes a = TLanes.Create(*shift), b = a;
        for (var i = 0; i < channels; i++, x += step)
        {
            var k = TLanes.Create(m[i]);
            TLanes.Accumulate(ref a, k, TLanes.Load(x));
            TLanes.Accumulate(ref b, k, TLanes.Load(x + TLanes.Count));
        }
        Store(a, b, y);
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
