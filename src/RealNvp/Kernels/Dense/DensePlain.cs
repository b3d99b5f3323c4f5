using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RealNvp.Kernels;

/// <summary>Few rows times Wᵀ for a weight as it lies: blocks of 8 by 8 of it change rows and columns in registers, so that each
/// number is read once and nothing is packed.</summary>
/// <remarks>A sum adds its steps one after the other, as a tile does, so the bits are those of a packed weight.</remarks>
internal static unsafe class DensePlain
{
    /// <summary>The most rows that it is worth for.</summary>
    public const int MostRows = 8;

    private const int Block = 8, Widest = 32;

    public static bool IsSupported => Avx.IsSupported;

    /// <summary>Rows of <paramref name="a"/> times Wᵀ.</summary>
    /// <param name="a">The left side, steps side by side.</param>
    /// <param name="aRow">From one of its rows to the next.</param>
    /// <param name="weight">W, (columns, steps).</param>
    /// <param name="mask">Its mask, or null.</param>
    /// <param name="rows">The rows, at most <see cref="MostRows"/>.</param>
    /// <param name="columns">The columns.</param>
    /// <param name="steps">The steps.</param>
    /// <param name="width">The columns of a panel of the packed weight, at most 32.</param>
    /// <param name="finish">What becomes of the result.</param>
    /// <param name="stepsOf">For a first column and a number of columns, the steps
    /// at which the weight has anything; null if that is all.</param>
    public static void Multiply(float* a, nint aRow, float* weight, float* mask, int rows, int columns, int steps, int width,
        DenseFinish<float> finish, Func<int, int, (int First, int End)>? stepsOf)
    {
        var sums = stackalloc float[MostRows * Widest];
        for (var column = 0; column < columns; column += width)
        {
            // the last panel may be half as wide
            var wide = columns - column > width / 2 ? width : width / 2;
            var (first, end) = stepsOf is null ? (0, steps) : stepsOf(column, wide);
            var at = ((nint)column * steps) + first;
            new Span<float>(sums, rows * Widest).Clear();
            Panel(a + first, aRow, weight + at, mask == null ? null : mask + at, steps, Math.Min(wide, columns - column), wide, rows,
                end - first, sums);
            Finish(sums, column, wide, rows, &finish);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Panel(float* a, nint aRow, float* weight, float* mask, nint stride, int present, int width, int rows, nint steps,
        float* sums)
    {
        nint step = 0;
        for (; step + Block <= steps; step += Block)
            for (var j = 0; j < width; j += Block)
            {
                var at = (j * stride) + step;
                if (j + Block <= present)
                    Square(weight + at, mask == null ? null : mask + at, stride, a + step, aRow, rows, sums + j);
                else
                    for (var k = step; k < step + Block; k++) Column(weight, mask, stride, j, present, a, aRow, rows, k, sums);
            }
        for (; step < steps; step++)
            for (var j = 0; j < width; j += Block) Column(weight, mask, stride, j, present, a, aRow, rows, step, sums);
    }

    // one step of up to eight columns
    private static void Column(float* weight, float* mask, nint stride, int j, int present, float* a, nint aRow, int rows, nint step,
        float* sums)
    {
        var column = stackalloc float[Block];
        for (var i = 0; i < Block; i++)
        {
            var at = ((j + i) * stride) + step;
            column[i] = j + i >= present ? 0 : mask == null ? weight[at] : weight[at] * mask[at];
        }
        var c = Vector256.Load(column);
        for (var row = 0; row < rows; row++)
        {
            var sum = sums + (row * Widest) + j;
            Vector256.MultiplyAddEstimate(Vector256.Create(a[(row * aRow) + step]), c, Vector256.Load(sum)).Store(sum);
        }
    }

    // eight steps of eight columns: pairs, then quarters, then halves change places
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Square(float* w, float* mask, nint stride, float* a, nint aRow, int rows, float* sums)
    {
        Vector256<float> r0 = Vector256.Load(w), r1 = Vector256.Load(w + stride), r2 = Vector256.Load(w + (2 * stride)),
            r3 = Vector256.Load(w + (3 * stride)), r4 = Vector256.Load(w + (4 * stride)), r5 = Vector256.Load(w + (5 * stride)),
            r6 = Vector256.Load(w + (6 * stride)), r7 = Vector256.Load(w + (7 * stride));
        if (mask != null)
        {
            r0 *= Vector256.Load(mask);
            r1 *= Vector256.Load(mask + stride);
            r2 *= Vector256.Load(mask + (2 * stride));
            r3 *= Vector256.Load(mask + (3 * stride));
            r4 *= Vector256.Load(mask + (4 * stride));
            r5 *= Vector256.Load(mask + (5 * stride));
            r6 *= Vector256.Load(mask + (6 * stride));
            r7 *= Vector256.Load(mask + (7 * stride));
        }
        Vector256<float> a0 = Avx.UnpackLow(r0, r1), a1 = Avx.UnpackHigh(r0, r1), a2 = Avx.UnpackLow(r2, r3), a3 = Avx.UnpackHigh(r2, r3);
        Vector256<float> a4 = Avx.UnpackLow(r4, r5), a5 = Avx.UnpackHigh(r4, r5), a6 = Avx.UnpackLow(r6, r7), a7 = Avx.UnpackHigh(r6, r7);
        Vector256<float> b0 = Avx.Shuffle(a0, a2, 0x44), b1 = Avx.Shuffle(a0, a2, 0xEE), b2 = Avx.Shuffle(a1, a3, 0x44),
            b3 = Avx.Shuffle(a1, a3, 0xEE);
        Vector256<float> b4 = Avx.Shuffle(a4, a6, 0x44), b5 = Avx.Shuffle(a4, a6, 0xEE), b6 = Avx.Shuffle(a5, a7, 0x44),
            b7 = Avx.Shuffle(a5, a7, 0xEE);
        Vector256<float> c0 = Avx.Permute2x128(b0, b4, 0x20), c1 = Avx.Permute2x128(b1, b5, 0x20), c2 = Avx.Permute2x128(b2, b6, 0x20),
            c3 = Avx.Permute2x128(b3, b7, 0x20), c4 = Avx.Permute2x128(b0, b4, 0x31), c5 = Avx.Permute2x128(b1, b5, 0x31),
            c6 = Avx.Permute2x128(b2, b6, 0x31), c7 = Avx.Permute2x128(b3, b7, 0x31);
        for (var row = 0; row < rows; row++, a += aRow, sums += Widest)
        {
            var sum = Vector256.MultiplyAddEstimate(Vector256.Create(a[0]), c0, Vector256.Load(sums));
            sum = Vector256.MultiplyAddEstimate(Vector256.Create(a[1]), c1, sum);
            sum = Vector256.MultiplyAddEstimate(Vector256.Create(a[2]), c2, sum);
            sum = Vector256.MultiplyAddEstimate(Vector256.Create(a[3]), c3, sum);
            sum = Vector256.MultiplyAddEstimate(Vector256.Create(a[4]), c4, sum);
            sum = Vector256.MultiplyAddEstimate(Vector256.Create(a[5]), c5, sum);
            sum = Vector256.MultiplyAddEstimate(Vector256.Create(a[6]), c6, sum);
            Vector256.MultiplyAddEstimate(Vector256.Create(a[7]), c7, sum).Store(sums);
        }
    }

    private static void Finish(float* sums, int column, int width, int rows, DenseFinish<float>* finish)
    {
        for (var row = 0; row < rows; row++, sums += Widest)
            for (var j = 0; j < width; j += Block)
                DenseTile.Row<Lanes256<float>, float, Dense1>(Lanes256<float>.Load(sums + j), default, default, default, finish->Bias,
                    finish->Gate, finish->Addend, finish->Result, finish->Relu, (row * finish->Stride) + column + j, column + j, Block);
    }
}
