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
                Products(matrix, channels, channels, channels, added, x + p, pixels, y + p, pixels);
                continue;
            }
            var row = x + p;
            for (var c = 0; c < channels; c++, row += pixels)
            {
                var b = TLanes.Create(before[c]);
                TLanes.Store(TLanes.Load(row) + b, from + (c * Block));
                TLanes.Store(TLanes.Load(row + TLanes.Count) + b, from + (c * Block) + TLanes.Count);
            }
            Products(matrix, channels, channels, channels, added, from, Block, y + p, pixels);
        }
        var rest = pixels - p;
        if (rest == 0) return;
        for (var c = 0; c < channels; c++)
        {
            var b = before == null ? 0 : before[c];
            for (var i = 0; i < Block; i++) from[(c * Block) + i] = i < rest ? x[((long)c * pixels) + p + i] + b : 0;
        }
        Products(matrix, channels, channels, channels, added, from, Block, to, Block);
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
            for (var j = 0; j < width; j += Block)
                Products(g + start, pixels, channels, count, null, scratch + j, width, sums + j, width);
        }
    }

    // rows of m, each of so many steps, times two vectors of each row of x; and what is added to a row, or if that is null, what is there
    private static void Products(float* m, int apart, int rows, int steps, float* added, float* x, int xStep, float* y, int yStep)
    {
        var o = 0;
        for (; o <= rows - 4; o += 4) Four(m + ((long)o * apart), apart, steps, added, o, x, xStep, y + ((long)o * yStep), yStep);
        for (; o < rows; o++) One(m + ((long)o * apart), steps, added, o, x, xStep, y + ((long)o * yStep));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four(float* m, int apart, int steps, float* added, int row, float* x, int xStep, float* y, int yStep)
    {
        TLanes a0 = TLanes.Zero, a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
        float* m1 = m + apart, m2 = m1 + apart, m3 = m2 + apart;
        for (var i = 0; i < steps; i++, x += xStep)
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
        Finish(a0, b0, added, row, y);
        Finish(a1, b1, added, row + 1, y + yStep);
        Finish(a2, b2, added, row + 2, y + (2L * yStep));
        Finish(a3, b3, added, row + 3, y + (3L * yStep));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One(float* m, int steps, float* added, int row, float* x, int xStep, float* y)
    {
        TLanes a = TLanes.Zero, b = a;
        for (var i = 0; i < steps; i++, x += xStep)
        {
            var k = TLanes.Create(m[i]);
            TLanes.Accumulate(ref a, k, TLanes.Load(x));
            TLanes.Accumulate(ref b, k, TLanes.Load(x + TLanes.Count));
        }
        Finish(a, b, added, row, y);
    }

    // last: a large number that is added first would take the digits of small products
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(TLanes a, TLanes b, float* added, int row, float* to)
    {
        TLanes c = added == null ? TLanes.Load(to) : TLanes.Create(added[row]), d = added == null ? TLanes.Load(to + TLanes.Count) : c;
        TLanes.Store(c + a, to);
        TLanes.Store(d + b, to + TLanes.Count);
    }
}
