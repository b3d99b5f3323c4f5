using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>z = W x for some features, with W = P L U whose factors are read as they lie; the inverse goes back through the triangles. In
/// float64, rounded once.</summary>
/// <param name="at">The features, D.</param>
/// <param name="lu">(D, D) among the weights of the plan: L below the diagonal, U above it, log|diagonal of U| on it.</param>
/// <param name="sign">The signs of that diagonal.</param>
/// <param name="permutation">The row of L U that each row of W is.</param>
internal sealed unsafe class LuRows<T>(int[] at, int lu, int sign, int permutation) : RowStep
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly int count = at.Length;

    public override long Scratch => 3 * RowScratch.Size<double>(count);

    public override void Run(in RowBlock block, bool inverse)
    {
        var memory = new RowScratch(block.Scratch);
        double* diagonal = memory.Take<double>(count), from = memory.Take<double>(count), to = memory.Take<double>(count);
        var (factors, signs, rows) = (block.Weights[lu], block.Weights[sign], block.Weights[permutation]);
        double logDet = 0;
        for (var i = 0; i < count; i++)
        {
            var log = double.CreateTruncating(((T*)factors)[((nint)i * count) + i]);
            logDet += log;
            diagonal[i] = Math.Exp(log) * double.CreateTruncating(((T*)signs)[i]);
        }
        // a buffer may hold anything
        for (var i = 0; i < count; i++)
            if ((ulong)((long*)rows)[i] >= (ulong)count)
            {
                new Span<double>(block.LogDet, block.Rows).Fill(double.NaN);
                return;
            }
        var x = block.X;
        for (var row = 0; row < block.Rows; row++, x += block.Features)
        {
            if (inverse) Back((T*)factors, (long*)rows, diagonal, x, from);
            else Forward((T*)factors, diagonal, x, from, to);
            for (var i = 0; i < count; i++) x[at[i]] = block.Rounded(inverse ? from[i] : to[((long*)rows)[i]]);
            block.LogDet[row] += inverse ? -logDet : logDet;
        }
    }

    private void Forward(T* factors, double* diagonal, double* x, double* upper, double* to)
    {
        for (var i = 0; i < count; i++) to[i] = x[at[i]];
        for (var i = 0; i < count; i++, factors += count)
        {
            var sum = diagonal[i] * to[i];
            for (var j = i + 1; j < count; j++) sum += double.CreateTruncating(factors[j]) * to[j];
            upper[i] = sum;
        }
        factors -= (nint)count * count;
        for (var i = 0; i < count; i++, factors += count)
        {
            var sum = upper[i];
            for (var j = 0; j < i; j++) sum += double.CreateTruncating(factors[j]) * upper[j];
            to[i] = sum;
        }
    }

    private void Back(T* factors, long* rows, double* diagonal, double* x, double* solution)
    {
        for (var i = 0; i < count; i++) solution[rows[i]] = x[at[i]];
        for (nint i = 0; i < count; i++)
            for (var j = 0; j < i; j++) solution[i] -= double.CreateTruncating(factors[(i * count) + j]) * solution[j];
        for (nint i = count - 1; i >= 0; i--)
        {
            for (var j = i + 1; j < count; j++) solution[i] -= double.CreateTruncating(factors[(i * count) + j]) * solution[j];
            solution[i] /= diagonal[i];
        }
    }
}
