using System.Numerics;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RealNvp.Kernels;

/// <summary>
/// Copies a weight (outputs, inputs) into panels of as many columns as a tile has, one step after the other, so that a tile reads it in one
/// stream. Columns that are missing in the last panel are zeros.
/// </summary>
internal static unsafe class DensePacking
{
    /// <summary>The elements of a packed matrix.</summary>
    public static int Size(int columns, int steps, int lanes) => (columns + lanes - 1) / lanes * lanes * steps;

    /// <summary>All panels for x·Wᵀ.</summary>
    public static void Forward<T>(T* weight, T* mask, nint stride, int outputs, int inputs, DensePanels panels, T* to)
        where T : unmanaged, INumberBase<T>
    {
        for (var column = 0; column < outputs; column += panels.Full)
            Forward(weight, mask, stride, outputs, inputs, column, 0, inputs, panels, to);
    }

    /// <summary>All panels for g·W.</summary>
    public static void Backward<T>(T* weight, T* mask, nint stride, int outputs, int inputs, DensePanels panels, T* to)
        where T : unmanaged, INumberBase<T>
    {
        for (var column = 0; column < inputs; column += panels.Full)
            Backward(weight, mask, stride, outputs, inputs, column, 0, outputs, panels, to);
    }

    /// <summary>Steps of one panel for x·Wᵀ: columns are outputs, steps are inputs. The
    /// rows of the weight lie <paramref name="stride"/> apart.</summary>
    public static void Forward<T>(T* weight, T* mask, nint stride, int outputs, int inputs, int column, int first, int end,
        DensePanels panels, T* to)
        where T : unmanaged, INumberBase<T>
    {
        var width = panels.Width(column, outputs);
        var present = Math.Min(width, outputs - column);
        to += (nint)column * inputs;
        // squares of 16 by 16: a line of the cache is read and written once
        for (var j = 0; j < width; j += 16)
            for (var step = first; step < end; step += 16)
                for (var part = 0; part < 4; part++)
                {
                    int i = j + (8 * (part & 1)), k = step + (4 * (part & 2));
                    if (i >= width || k >= end) continue;
                    var at = ((column + i) * stride) + k;
                    T* from = weight + at, by = mask == null ? null : mask + at, into = to + ((nint)k * width) + i;
                    if (typeof(T) == typeof(float) && Avx.IsSupported && i + 8 <= present && k + 8 <= end)
                        Transpose((float*)from, (float*)by, stride, (float*)into, width);
                    else Copy(from, by, stride, into, width, Math.Min(8, width - i), present - i, Math.Min(8, end - k));
                }
    }

    /// <summary>Steps of one panel for g·W: columns are inputs, steps are outputs. The
    /// rows of the weight lie <paramref name="stride"/> apart.</summary>
    public static void Backward<T>(T* weight, T* mask, nint stride, int outputs, int inputs, int column, int first, int end,
        DensePanels panels, T* to)
        where T : unmanaged, INumberBase<T>
    {
        var width = panels.Width(column, inputs);
        var present = Math.Min(width, inputs - column);
        to += ((nint)column * outputs) + ((nint)first * width);
        for (var step = first; step < end; step++)
        {
            var from = weight + (step * stride) + column;
            var by = mask == null ? null : mask + (step * stride) + column;
            var i = 0;
            if (by == null) new ReadOnlySpan<T>(from, i = present).CopyTo(new Span<T>(to, present));
            for (; i + 8 <= present; i += 8)
            {
                (Vector256.Load(from + i) * Vector256.Load(by + i)).Store(to + i);
                if (sizeof(T) == sizeof(double)) (Vector256.Load(from + i + 4) * Vector256.Load(by + i + 4)).Store(to + i + 4);
            }
            for (; i < present; i++) to[i] = from[i] * by[i];
            for (; i < width; i++) to[i] = T.Zero;
            to += width;
        }
    }

    // fewer than 8 by 8, and zeros for the columns that are not present
    private static void Copy<T>(T* from, T* mask, nint stride, T* to, nint width, int columns, int present, int steps)
        where T : unmanaged, INumberBase<T>
    {
        for (var step = 0; step < steps; step++)
            for (var i = 0; i < columns; i++)
            {
                var at = (i * stride) + step;
                to[(step * width) + i] = i >= present ? T.Zero : mask == null ? from[at] : from[at] * mask[at];
            }
    }

    // 8 by 8: pairs, then quarters, then halves change places
    private static void Transpose(float* from, float* mask, nint stride, float* to, nint width)
    {
        Vector256<float> Row(int row) => mask == null ? Vector256.Load(from + (row * stride))
            : Vector256.Load(from + (row * stride)) * Vector256.Load(mask + (row * stride));
        Vector256<float> r0 = Row(0), r1 = Row(1), r2 = Row(2), r3 = Row(3), r4 = Row(4), r5 = Row(5), r6 = Row(6), r7 = Row(7);
        Vector256<float> a0 = Avx.UnpackLow(r0, r1), a1 = Avx.UnpackHigh(r0, r1), a2 = Avx.UnpackLow(r2, r3), a3 = Avx.UnpackHigh(r2, r3);
        Vector256<float> a4 = Avx.UnpackLow(r4, r5), a5 = Avx.UnpackHigh(r4, r5), a6 = Avx.UnpackLow(r6, r7), a7 = Avx.UnpackHigh(r6, r7);
        Vector256<float> b0 = Avx.Shuffle(a0, a2, 0x44), b1 = Avx.Shuffle(a0, a2, 0xEE), b2 = Avx.Shuffle(a1, a3, 0x44),
            b3 = Avx.Shuffle(a1, a3, 0xEE);
        Vector256<float> b4 = Avx.Shuffle(a4, a6, 0x44), b5 = Avx.Shuffle(a4, a6, 0xEE), b6 = Avx.Shuffle(a5, a7, 0x44),
            b7 = Avx.Shuffle(a5, a7, 0xEE);
        Avx.Permute2x128(b0, b4, 0x20).Store(to);
        Avx.Permute2x128(b1, b5, 0x20).Store(to + width);
        Avx.Permute2x128(b2, b6, 0x20).Store(to + (2 * width));
        Avx.Permute2x128(b3, b7, 0x20).Store(to + (3 * width));
        Avx.Permute2x128(b0, b4, 0x31).Store(to + (4 * width));
        Avx.Permute2x128(b1, b5, 0x31).Store(to + (5 * width));
        Avx.Permute2x128(b2, b6, 0x31).Store(to + (6 * width));
        Avx.Permute2x128(b3, b7, 0x31).Store(to + (7 * width));
    }
}
