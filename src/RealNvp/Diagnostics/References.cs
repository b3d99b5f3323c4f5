using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Reference points of TARP that depend on the context: the true value of an earlier row with a context that is near.</summary>
/// <remarks>
/// Given all contexts, true values of different rows are independent. The rank of row i, given its reference and all that came before, is
/// uniform; so ranks of all rows are independent, though a row is reference of another: only earlier rows may be.
/// </remarks>
internal static class References
{
    private const int LookBack = 2000;

    /// <summary>(N, D) in float64 on the CPU; the first row, which has none before it, gets zeros. Runs in the caller's scope.</summary>
    public static Tensor Of(Tensor theta, Tensor? context)
    {
        var rows = checked((int)theta.shape[0]);
        var points = theta.detach().reshape(rows, -1).FetchDoubles();
        var features = points.Length / rows;
        var contexts = context is null ? [] : context.detach().reshape(rows, -1).FetchDoubles();
        var size = contexts.Length / rows;
        Columns.Standardize(contexts, size);
        var result = new double[points.Length];
        for (var row = 1; row < rows; row++)
        {
            var own = contexts.AsSpan(row * size, size);
            var (best, nearest) = (double.PositiveInfinity, row - 1);
            for (var other = row - 1; other >= Math.Max(0, row - LookBack) && size > 0; other--)
            {
                var distance = 0.0;
                var there = contexts.AsSpan(other * size, size);
                for (var i = 0; i < size && distance < best; i++) distance += (own[i] - there[i]) * (own[i] - there[i]);
                if (distance < best) (best, nearest) = (distance, other);
            }
            points.AsSpan(nearest * features, features).CopyTo(result.AsSpan(row * features, features));
        }
        return tensor(result, [rows, features], device: CPU);
    }
}
