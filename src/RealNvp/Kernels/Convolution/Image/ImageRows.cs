using System.Buffers;
using System.Runtime.Intrinsics;

namespace RealNvp.Kernels;

/// <summary>Loops over the pixels of images that lie channels last: rows of C values, with coefficients for each channel.</summary>
internal static unsafe class ImageRows
{
    public delegate void Add(long start, int count, double* into);

    /// <summary>Two sums for each channel over all rows, in parts of a fixed size that are added in order.</summary>
    public static double[] Sum(long rows, int channels, int chunk, Add add)
    {
        var chunks = (rows + chunk - 1) / chunk;
        var width = 2 * channels;
        var parts = ArrayPool<double>.Shared.Rent(checked((int)(chunks * width)));
        Array.Clear(parts);
        fixed (double* first = parts)
        {
            var at = first;
            KernelThreads.For(chunks, (double)rows * channels, 1 << 16, (start, end) =>
            {
                for (var i = start; i < end; i++) add(i * chunk, (int)Math.Min(chunk, rows - (i * chunk)), at + (i * width));
            });
        }
        var sums = new double[width];
        for (var i = 0; i < chunks; i++)
            for (var c = 0; c < width; c++) sums[c] += parts[(i * width) + c];
        ArrayPool<double>.Shared.Return(parts);
        return sums;
    }

    /// <summary>The mean of the first rows, to measure from.</summary>
    public static void FirstMean(float* x, int rows, int channels, float[] mean)
    {
        for (var c = 0; c < channels; c++)
        {
            double sum = 0;
            for (var r = 0; r < rows; r++) sum += x[((long)r * channels) + c];
            mean[c] = (float)(sum / rows);
        }
    }

    /// <summary>Σ (x − k) and Σ (x − k)².</summary>
    public static void AddSquares(float* x, int rows, int channels, float[] about, double* into)
    {
        fixed (float* k = about)
        {
            var c = 0;
            for (; c <= channels - 16; c += 16)
            {
                var (from, sum, square) = (Vector512.Load(k + c), Vector512<float>.Zero, Vector512<float>.Zero);
                var p = x + c;
                for (var r = 0; r < rows; r++, p += channels)
                {
                    var d = Vector512.Load(p) - from;
                    sum += d;
                    square = Vector512.FusedMultiplyAdd(d, d, square);
                }
                Widen(sum, into + c);
                Widen(square, into + channels + c);
            }
            for (; c < channels; c++)
            {
                float sum = 0, square = 0;
                for (var r = 0; r < rows; r++)
                {
                    var d = x[((long)r * channels) + c] - k[c];
                    sum += d;
                    square = MathF.FusedMultiplyAdd(d, d, square);
                }
                (into[c], into[channels + c]) = (sum, square);
            }
        }
    }

    /// <summary>Σ g and Σ g (x − μ) over the elements where a·x + b is positive.</summary>
    public static void AddGradients(float* x, float* g, int rows, int channels, float[] line, float[] means, double* into)
    {
        fixed (float* a = line, m = means)
        {
            var b = a + channels;
            var c = 0;
            for (; c <= channels - 16; c += 16)
            {
                var (scale, shift, mean) = (Vector512.Load(a + c), Vector512.Load(b + c), Vector512.Load(m + c));
                var (sum, along) = (Vector512<float>.Zero, Vector512<float>.Zero);
                float* p = x + c, q = g + c;
                for (var r = 0; r < rows; r++, p += channels, q += channels)
                {
                    var value = Vector512.Load(p);
                    var kept = Vector512.GreaterThan(Vector512.FusedMultiplyAdd(value, scale, shift),
                        Vector512<float>.Zero) & Vector512.Load(q);
                    sum += kept;
                    along = Vector512.FusedMultiplyAdd(kept, value - mean, along);
                }
                Widen(sum, into + c);
                Widen(along, into + channels + c);
            }
            for (; c < channels; c++)
            {
                float sum = 0, along = 0;
                for (var r = 0; r < rows; r++)
                {
                    var at = ((long)r * channels) + c;
                    if (!(MathF.FusedMultiplyAdd(x[at], a[c], b[c]) > 0)) continue;
                    sum += g[at];
                    along = MathF.FusedMultiplyAdd(g[at], x[at] - m[c], along);
                }
                (into[c], into[channels + c]) = (sum, along);
            }
        }
    }

    /// <summary>y = max(a·x + b, 0); NaN stays NaN.</summary>
    public static void ScaleRelu(float* x, float* y, int rows, int channels, float[] line)
    {
        fixed (float* a = line)
        {
            var b = a + channels;
            for (var r = 0; r < rows; r++, x += channels, y += channels)
            {
                var c = 0;
                for (; c <= channels - 16; c += 16)
                    // in this order NaN stays
                    Vector512.MaxNative(Vector512<float>.Zero, Vector512.FusedMultiplyAdd(Vector512.Load(x + c), Vector512.Load(a + c),
                        Vector512.Load(b + c))).Store(y + c);
                for (; c < channels; c++) y[c] = MathF.Max(MathF.FusedMultiplyAdd(x[c], a[c], b[c]), 0);
            }
        }
    }

    /// <summary>dx = a·g + p·x + q, with g where a·x + b is positive, and what <paramref name="addend"/> has, unless it is null.</summary>
    public static void InputGradient(float* x, float* g, float* dx, float* addend, int rows, int channels, float[] line, float[] terms)
    {
        var more = addend == null ? 0 : channels;
        fixed (float* a = line, p = terms)
        {
            float* b = a + channels, q = p + channels;
            for (var r = 0; r < rows; r++, x += channels, g += channels, dx += channels, addend += more)
            {
                var c = 0;
                for (; c <= channels - 16; c += 16)
                {
                    var (value, scale) = (Vector512.Load(x + c), Vector512.Load(a + c));
                    var kept = Vector512.GreaterThan(Vector512.FusedMultiplyAdd(value, scale, Vector512.Load(b + c)),
                        Vector512<float>.Zero) & Vector512.Load(g + c);
                    var result = Vector512.FusedMultiplyAdd(kept, scale, Vector512.FusedMultiplyAdd(value, Vector512.Load(p + c),
                        Vector512.Load(q + c)));
                    if (more != 0) result += Vector512.Load(addend + c);
                    result.Store(dx + c);
                }
                for (; c < channels; c++)
                {
                    var kept = MathF.FusedMultiplyAdd(x[c], a[c], b[c]) > 0 ? g[c] : 0;
                    var result = MathF.FusedMultiplyAdd(kept, a[c], MathF.FusedMultiplyAdd(x[c], p[c], q[c]));
                    dx[c] = more == 0 ? result : result + addend[c];
                }
            }
        }
    }

    private static void Widen(Vector512<float> sum, double* into)
    {
        var (low, high) = Vector512.Widen(sum);
        low.Store(into);
        high.Store(into + 8);
    }
}
