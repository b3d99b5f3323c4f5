using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>The transport plan between two sets of n equal weights that makes Σ P·C − H(P) small, by
/// Sinkhorn's iteration in logarithms (Cuturi, arXiv 1306.0895), which no cost overflows.</summary>
internal static class SinkhornPlan
{
    // a look at the error waits for a device
    private const int Between = 10;

    /// <summary>log P (n, n), in the caller's scope, and the largest error of a row's sum by 1/n. The sums of columns are exact.</summary>
    /// <param name="costs">C (n, n), by the strength of the entropy.</param>
    /// <param name="most">The most iterations.</param>
    /// <param name="tolerance">The error of the sums of rows, in parts of 1/n, at which it ends.</param>
    public static (Tensor LogPlan, double Error) Log(Tensor costs, int most, double tolerance)
    {
        using var scope = NewDisposeScope();
        var count = costs.shape[0];
        var logWeight = Scalars.Of(-Math.Log(count));
        var rows = zeros(count, 1, dtype: costs.dtype, device: costs.device);
        var columns = zeros(1, count, dtype: costs.dtype, device: costs.device);
        var error = double.PositiveInfinity;
        for (var step = 1; step <= most; step++)
        {
            using var inside = NewDisposeScope();
            var nextRows = columns.sub(costs).logsumexp(1, keepdim: true).neg().add(logWeight, Scalars.One);
            var nextColumns = nextRows.sub(costs).logsumexp(0, keepdim: true).neg().add(logWeight, Scalars.One);
            if (step % Between == 0 || step == most)
                error = nextRows.add(nextColumns, Scalars.One).sub(costs).logsumexp(1).sub(logWeight).expm1().abs().max().Fetch<double>();
            (rows, columns) = (inside.MoveToOuter(nextRows), inside.MoveToOuter(nextColumns));
            if (!(error > tolerance)) break;
        }
        return (scope.MoveToOuter(rows.add(columns, Scalars.One).sub(costs)), error);
    }
}
