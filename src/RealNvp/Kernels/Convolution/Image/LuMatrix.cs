using System.Numerics;
using System.Runtime.InteropServices;

namespace RealNvp.Kernels;

/// <summary>The matrix W = P·L·U from its packed form, in float64: row r of W is row π(r) of L·U.</summary>
internal sealed class LuMatrix
{
    private readonly int size;
    private readonly int[] rows;
    private readonly double[] packed, upper;
    private double[]? whole;

    /// <summary>Reads the packed form.</summary>
    /// <param name="packed">C rows: L below the diagonal, log|diagonal of U| on it, U above.</param>
    /// <param name="rows">π.</param>
    /// <param name="sign">The signs of U's diagonal.</param>
    public LuMatrix(ReadOnlySpan<float> packed, int[] rows, float[] sign)
    {
        (this.rows, size) = (rows, rows.Length);
        this.packed = new double[size * size];
        upper = new double[size * size];
        for (var i = 0; i < packed.Length; i++) this.packed[i] = packed[i];
        for (var i = 0; i < size; i++)
        {
            Row(this.packed, i)[i..].CopyTo(Row(upper, i)[i..]);
            upper[(i * size) + i] = Math.Exp(packed[(i * size) + i]) * sign[i];
            LogDet += packed[(i * size) + i];
        }
    }

    /// <summary>log|det W|.</summary>
    public double LogDet { get; }

    /// <summary>W, row by row.</summary>
    public double[] Product() => whole ??= Multiply();

    private double[] Multiply()
    {
        var product = new double[size * size];
        for (var r = 0; r < size; r++)
        {
            var i = rows[r];
            var row = Row(product, r);
            Row(upper, i).CopyTo(row);
            for (var k = 0; k < i; k++) Add(row[k..], Row(upper, k)[k..], packed[(i * size) + k]);
        }
        return product;
    }

    /// <summary>W⁻¹ = U⁻¹·L⁻¹·Pᵀ, row by row.</summary>
    public double[] Inverse()
    {
        var solved = new double[size * size];
        for (var i = 0; i < size; i++)
        {
            var row = Row(solved, i);
            row[i] = 1;
            for (var k = 0; k < i; k++) Add(row, Row(solved, k), -packed[(i * size) + k]);
        }
        for (var i = size - 1; i >= 0; i--)
        {
            var row = Row(solved, i);
            for (var k = i + 1; k < size; k++) Add(row, Row(solved, k), -upper[(i * size) + k]);
            var pivot = upper[(i * size) + i];
            for (var j = 0; j < size; j++) row[j] /= pivot;
        }
        var inverse = new double[size * size];
        for (var i = 0; i < size; i++)
            for (var r = 0; r < size; r++) inverse[(i * size) + r] = solved[(i * size) + rows[r]];
        return inverse;
    }

    /// <summary>The gradient of the packed form, from that of W and that of log|det W|.</summary>
    public void Gradient(double[] product, double logDet, Span<float> result)
    {
        // ∂(LU), by rows; then ∂L = ∂(LU)·Uᵀ below the diagonal and ∂U = Lᵀ·∂(LU) from it on
        var from = new double[size * size];
        for (var r = 0; r < size; r++) Row(product, r).CopyTo(Row(from, rows[r]));
        var line = new double[size];
        for (var k = 0; k < size; k++)
        {
            Row(from, k).CopyTo(line);
            for (var i = k + 1; i < size; i++)
            {
                Add(line.AsSpan(k), Row(from, i)[k..], packed[(i * size) + k]);
                result[(i * size) + k] = (float)Dot(Row(from, i)[k..], Row(upper, k)[k..]);
            }
            line[k] = (line[k] * upper[(k * size) + k]) + logDet;
            for (var j = k; j < size; j++) result[(k * size) + j] = (float)line[j];
        }
    }

    private Span<double> Row(double[] matrix, int row) => matrix.AsSpan(row * size, size);

    private static void Add(Span<double> to, ReadOnlySpan<double> from, double factor)
    {
        var a = MemoryMarshal.Cast<double, Vector<double>>(to);
        var b = MemoryMarshal.Cast<double, Vector<double>>(from);
        var factors = new Vector<double>(factor);
        for (var i = 0; i < a.Length && i < b.Length; i++) a[i] += b[i] * factors;
        for (var i = a.Length * Vector<double>.Count; i < to.Length; i++) to[i] += from[i] * factor;
    }

    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var x = MemoryMarshal.Cast<double, Vector<double>>(a);
        var y = MemoryMarshal.Cast<double, Vector<double>>(b);
        var sums = Vector<double>.Zero;
        for (var i = 0; i < x.Length && i < y.Length; i++) sums += x[i] * y[i];
        var sum = Vector.Sum(sums);
        for (var i = x.Length * Vector<double>.Count; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }
}
