using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>log|det(I + J)| of a small matrix, and the inverse of I + J. In float64.</summary>
internal static unsafe class ResidualDeterminant
{
    /// <summary>The largest number of rows.</summary>
    public const int Most = 16;

    /// <summary>J of one row from the matrix of a block: the tangent of direction i holds column i.</summary>
    public static void Load<T>(T* matrix, nint stride, int rows, int row, int d, double* jacobian) where T : unmanaged, INumberBase<T>
    {
        for (var i = 0; i < d; i++)
            for (var o = 0; o < d; o++)
                jacobian[(o * d) + i] = double.CreateTruncating(matrix[(((1 + i) * rows) + row) * stride + o]);
    }

    /// <summary>log|det(I + J)|; J is written over.</summary>
    public static double Log(double* j, int d)
    {
        if (d == 1) return LogOnePlus(j[0]);
        // det(I + J) − 1, with the digits of a small J
        if (d == 2) return LogOnePlus(j[0] + j[3] + ((j[0] * j[3]) - (j[1] * j[2])));
        for (var i = 0; i < d; i++) j[(i * d) + i] += 1;
        var sum = 0.0;
        for (var k = 0; k < d; k++)
        {
            var pivot = Pivot(j, d, k);
            if (pivot != k) Swap(j, d, k, pivot);
            sum += Math.Log(Math.Abs(j[(k * d) + k]));
            for (var i = k + 1; i < d; i++)
            {
                var factor = j[(i * d) + k] / j[(k * d) + k];
                for (var c = k + 1; c < d; c++) j[(i * d) + c] -= factor * j[(k * d) + c];
            }
        }
        return sum;
    }

    /// <summary>(I + J)⁻¹, by Gauss and Jordan with pivots; J is written over.</summary>
    public static void Inverse(double* j, int d, double* inverse)
    {
        for (var i = 0; i < d; i++)
            for (var c = 0; c < d; c++) inverse[(i * d) + c] = i == c ? 1 : 0;
        for (var i = 0; i < d; i++) j[(i * d) + i] += 1;
        for (var k = 0; k < d; k++)
        {
            var pivot = Pivot(j, d, k);
            if (pivot != k)
            {
                Swap(j, d, k, pivot);
                Swap(inverse, d, k, pivot);
            }
            var over = 1 / j[(k * d) + k];
            for (var c = 0; c < d; c++)
            {
                j[(k * d) + c] *= over;
                inverse[(k * d) + c] *= over;
            }
            for (var i = 0; i < d; i++)
            {
                if (i == k) continue;
                var factor = j[(i * d) + k];
                for (var c = 0; c < d; c++)
                {
                    j[(i * d) + c] -= factor * j[(k * d) + c];
                    inverse[(i * d) + c] -= factor * inverse[(k * d) + c];
                }
            }
        }
    }

    private static int Pivot(double* j, int d, int k)
    {
        var pivot = k;
        for (var i = k + 1; i < d; i++)
            if (Math.Abs(j[(i * d) + k]) > Math.Abs(j[(pivot * d) + k])) pivot = i;
        return pivot;
    }

    private static void Swap(double* j, int d, int a, int b)
    {
        for (var c = 0; c < d; c++) (j[(a * d) + c], j[(b * d) + c]) = (j[(b * d) + c], j[(a * d) + c]);
    }

    // what 1 + x lost is found again
    private static double LogOnePlus(double x)
    {
        var sum = 1 + x;
        return sum == 1 ? x : double.IsFinite(sum) ? Math.Log(sum) * (x / (sum - 1)) : Math.Log(sum);
    }
}
