using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>Many small systems (G + λI)·γ = b with G = HHᵀ: by Cholesky in float64, one after the other.</summary>
internal static unsafe class RidgeSystems
{
    /// <summary>The largest number of unknowns.</summary>
    public const int Most = 16;

    /// <summary>Solves the systems.</summary>
    /// <param name="gram">(count, m, m), symmetric.</param>
    /// <param name="right">(count, m).</param>
    /// <param name="result">(count, m); zeros for a system that is not finite.</param>
    /// <param name="count">The number of systems.</param>
    /// <param name="m">The number of unknowns, at most <see cref="Most"/>.</param>
    /// <param name="ridge">λ as a part of the mean of the diagonal.</param>
    public static void Solve<T>(T* gram, T* right, T* result, long count, int m, double ridge) where T : unmanaged, INumberBase<T>
    {
        var factor = stackalloc double[Most * Most];
        var x = stackalloc double[Most];
        for (long n = 0; n < count; n++, gram += m * m, right += m, result += m)
        {
            var trace = 0.0;
            for (var i = 0; i < m; i++) trace += double.CreateTruncating(gram[(i * m) + i]);
            var added = (ridge * trace / m) + double.Epsilon;
            var good = double.IsFinite(trace) && trace > 0;
            for (var i = 0; i < m && good; i++)
            {
                for (var j = 0; j <= i; j++)
                {
                    var sum = double.CreateTruncating(gram[(i * m) + j]) + (i == j ? added : 0);
                    for (var k = 0; k < j; k++) sum -= factor[(i * m) + k] * factor[(j * m) + k];
                    if (i != j) factor[(i * m) + j] = sum / factor[(j * m) + j];
                    else if (sum > 0) factor[(i * m) + i] = Math.Sqrt(sum);
                    else good = false;
                }
            }
            for (var i = 0; i < m && good; i++)
            {
                var sum = double.CreateTruncating(right[i]);
                for (var k = 0; k < i; k++) sum -= factor[(i * m) + k] * x[k];
                x[i] = sum / factor[(i * m) + i];
            }
            for (var i = m - 1; i >= 0 && good; i--)
            {
                var sum = x[i];
                for (var k = i + 1; k < m; k++) sum -= factor[(k * m) + i] * x[k];
                x[i] = sum / factor[(i * m) + i];
                good = double.IsFinite(x[i]);
            }
            for (var i = 0; i < m; i++) result[i] = good ? T.CreateTruncating(x[i]) : T.Zero;
        }
    }
}
