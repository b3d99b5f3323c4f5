namespace RealNvp;

/// <summary>Solves small positive definite systems.</summary>
internal static class Cholesky
{
    /// <summary>Solves A y = b in place.</summary>
    /// <param name="matrix">A, n² numbers; its lower half becomes the factor.</param>
    /// <param name="right">b, then y.</param>
    public static void Solve(double[] matrix, double[] right)
    {
        var n = right.Length;
        for (var i = 0; i < n; i++)
        {
            var row = matrix.AsSpan(i * n, i + 1);
            for (var j = 0; j <= i; j++)
            {
                var other = matrix.AsSpan(j * n, j + 1);
                var sum = row[j];
                for (var k = 0; k < j; k++) sum -= row[k] * other[k];
                row[j] = j < i ? sum / other[j] : Math.Sqrt(Math.Max(sum, 1e-300));
            }
            var value = right[i];
            for (var k = 0; k < i; k++) value -= row[k] * right[k];
            right[i] = value / row[i];
        }
        for (var i = n - 1; i >= 0; i--)
        {
            right[i] /= matrix[(i * n) + i];
            for (var k = 0; k < i; k++) right[k] -= matrix[(i * n) + k] * right[i];
        }
    }
}
