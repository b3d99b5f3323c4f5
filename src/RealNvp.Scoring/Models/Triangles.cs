using System.Numerics;

namespace RealNvp.Scoring.Models;

/// <summary>The product of the triangles of a matrix.</summary>
internal static class Triangles
{
    /// <summary>W = P L U.</summary>
    /// <param name="triangles">(D, D): U and its diagonal, and below it L, whose diagonal is 1.</param>
    /// <param name="permutation">The row of L U that each row of W is.</param>
    /// <param name="matrix">Gets (D, D).</param>
    public static void Multiply(double[] triangles, int[] permutation, float[] matrix)
    {
        var count = permutation.Length;
        var sum = new double[count];
        for (var i = 0; i < count; i++)
        {
            var row = permutation[i] * count;
            triangles.AsSpan(row, count).CopyTo(sum);
            sum.AsSpan(0, permutation[i]).Clear();
            for (var k = 0; k < permutation[i]; k++)
                Add(triangles[row + k], triangles.AsSpan((k * count) + k, count - k), sum.AsSpan(k));
            for (var j = 0; j < count; j++) matrix[(i * count) + j] = (float)sum[j];
        }
    }

    private static void Add(double factor, ReadOnlySpan<double> values, Span<double> to)
    {
        var i = 0;
        for (; i <= values.Length - Vector<double>.Count; i += Vector<double>.Count)
            (new Vector<double>(to[i..]) + (factor * new Vector<double>(values[i..]))).CopyTo(to[i..]);
        for (; i < values.Length; i++) to[i] += factor * values[i];
    }
}
