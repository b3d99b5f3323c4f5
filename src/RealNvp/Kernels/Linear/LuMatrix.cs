using System.Buffers;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace RealNvp.Kernels;

/// <summary>The matrix W = P·L·U from its packed form, in float64: row r of W is row π(r) of L·U.</summary>
/// <remarks>All its matrices are parts of one array of the pool, which it has until it is disposed: a model has some dozens of these
/// in each pass, of up to 128 KB a matrix.</remarks>
internal sealed class LuMatrix : IDisposable
{
    /// <summary>The most rows.</summary>
    public const int MostRows = 128;

    // the packed form, U, W, and two for what comes up on the way
    private const int Matrices = 5;

    private readonly int size;
    private readonly int[] rows;
    private readonly double[] room;
    private bool isMultiplied;

    /// <summary>Reads the packed form.</summary>
    /// <param name="packed">C rows: L below the diagonal, log|diagonal of U| on it, U above.</param>
    /// <param name="rows">π.</param>
    /// <param name="sign">The signs of U's diagonal.</param>
    public LuMatrix(ReadOnlySpan<float> packed, int[] rows, float[] sign)
    {
        (this.rows, size) = (rows, rows.Length);
        room = ArrayPool<double>.Shared.Rent(Matrices * size * size);
        for (var i = 0; i < packed.Length; i++) Packed[i] = packed[i];
        Upper.Clear();
        for (var i = 0; i < size; i++)
        {
            Row(Packed, i)[i..].CopyTo(Row(Upper, i)[i..]);
            Upper[(i * size) + i] = Math.Exp(packed[(i * size) + i]) * sign[i];
            LogDet += packed[(i * size) + i];
        }
    }

    /// <summary>log|det W|.</summary>
    public double LogDet { get; }

    private Span<double> Packed => Matrix(0);

    private Span<double> Upper => Matrix(1);

    /// <inheritdoc/>
    public void Dispose() => ArrayPool<double>.Shared.Return(room);

    /// <summary>W, row by row.</summary>
    public ReadOnlySpan<double> Product()
    {
        var product = Matrix(2);
        if (isMultiplied) return product;
        isMultiplied = true;
        for (var r = 0; r < size; r++)
        {
            var i = rows[r];
            var row = Row(product, r);
            Row(Upper, i).CopyTo(row);
            for (var k = 0; k < i; k++) Add(row[k..], Row(Upper, k)[k..], Packed[(i * size) + k]);
        }
        return product;
    }

    /// <summary>W⁻¹ = U⁻¹·L⁻¹·Pᵀ, row by row, until the next call.</summary>
    public ReadOnlySpan<double> Inverse()
    {
        Span<double> solved = Matrix(3), inverse = Matrix(4);
        solved.Clear();
        for (var i = 0; i < size; i++)
        {
            var row = Row(solved, i);
            row[i] = 1;
            for (var k = 0; k < i; k++) Add(row, Row(solved, k), -Packed[(i * size) + k]);
        }
        for (var i = size - 1; i >= 0; i--)
        {
            var row = Row(solved, i);
            for (var k = i + 1; k < size; k++) Add(row, Row(solved, k), -Upper[(i * size) + k]);
            var pivot = Upper[(i * size) + i];
            for (var j = 0; j < size; j++) row[j] /= pivot;
        }
        for (var i = 0; i < size; i++)
            for (var r = 0; r < size; r++) inverse[(i * size) + r] = solved[(i * size) + rows[r]];
        return inverse;
    }

    /// <summary>The gradient of the packed form, from that of W and that of log|det W|.</summary>
    public void Gradient(ReadOnlySpan<double> product, double logDet, Span<float> result)
    {
        // ∂(LU), by rows; then ∂L = ∂(LU)·Uᵀ below the diagonal and ∂U = Lᵀ·∂(LU) from it on
        var from = Matrix(3);
        for (var r = 0; r < size; r++) product.Slice(r * size, size).CopyTo(Row(from, rows[r]));
        var line = Matrix(4)[..size];
        for (var k = 0; k < size; k++)
        {
            Row(from, k).CopyTo(line);
            for (var i = k + 1; i < size; i++)
            {
                Add(line[k..], Row(from, i)[k..], Packed[(i * size) + k]);
                result[(i * size) + k] = (float)Dot(Row(from, i)[k..], Row(Upper, k)[k..]);
            }
            line[k] = (line[k] * Upper[(k * size) + k]) + logDet;
            for (var j = k; j < size; j++) result[(k * size) + j] = (float)line[j];
        }
    }

    /// <summary>The gradient of the packed form, from that of W⁻¹ and that of log|det W|.</summary>
    public void InverseGradient(ReadOnlySpan<double> ofInverse, double logDet, Span<float> result)
    {
        // ∂W = −W⁻ᵀ·∂(W⁻¹)·W⁻ᵀ
        Inverse();
        Span<double> inverse = Matrix(4), left = Matrix(3), product = Matrix(2);
        left.Clear();
        for (var k = 0; k < size; k++)
            for (var i = 0; i < size; i++) Add(Row(left, i), ofInverse.Slice(k * size, size), -inverse[(k * size) + i]);
        isMultiplied = false;
        for (var i = 0; i < size; i++)
            for (var j = 0; j < size; j++) product[(i * size) + j] = Dot(Row(left, i), Row(inverse, j));
        Gradient(product, logDet, result);
    }

    private Span<double> Matrix(int number) => room.AsSpan(number * size * size, size * size);

    private Span<double> Row(Span<double> matrix, int row) => matrix.Slice(row * size, size);

    private static void Add(Span<double> to, ReadOnlySpan<double> from, double factor)
    {
        var a = MemoryMarshal.Cast<double, Vector512<double>>(to);
        var b = MemoryMarshal.Cast<double, Vector512<double>>(from);
        var factors = Vector512.Create(factor);
        for (var i = 0; i < a.Length && i < b.Length; i++) a[i] += b[i] * factors;
        for (var i = a.Length * Vector512<double>.Count; i < to.Length; i++) to[i] += from[i] * factor;
    }

    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var x = MemoryMarshal.Cast<double, Vector512<double>>(a);
        var y = MemoryMarshal.Cast<double, Vector512<double>>(b);
        // four sums, each of which need not wait for the others
        Vector512<double> s0 = default, s1 = default, s2 = default, s3 = default;
        var i = 0;
        for (; i + 4 <= x.Length && i + 4 <= y.Length; i += 4)
        {
            s0 += x[i] * y[i];
            s1 += x[i + 1] * y[i + 1];
            s2 += x[i + 2] * y[i + 2];
            s3 += x[i + 3] * y[i + 3];
        }
        for (; i < x.Length && i < y.Length; i++) s0 += x[i] * y[i];
        var sum = Vector512.Sum(s0 + s1 + (s2 + s3));
        for (i = x.Length * Vector512<double>.Count; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }
}
