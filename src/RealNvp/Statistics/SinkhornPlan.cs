using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>The transport plan between two sets of n equal weights that makes Σ P·C − H(P) small, by
/// Sinkhorn's iteration (Cuturi, arXiv 1306.0895), which no cost overflows.</summary>
/// <remarks>Iterations are products of a matrix with vectors, whose results go into logarithms now and then (Schmitzer, arXiv
/// 1610.06519); where numbers of float64 do not reach, they are in logarithms, which is slower.</remarks>
internal static class SinkhornPlan
{
    // a look at the error waits for a device, and numbers grow meanwhile
    private const int Between = 10;

    /// <summary>log P (n, n), in the caller's scope, and the largest error of a row's sum by 1/n. The sums of columns are exact.</summary>
    /// <param name="costs">C (n, n) in float64, by the strength of the entropy.</param>
    /// <param name="most">The most iterations.</param>
    /// <param name="tolerance">The error of the sums of rows, in parts of 1/n, at which it ends.</param>
    public static (Tensor LogPlan, double Error) Log(Tensor costs, int most, double tolerance)
    {
        using var scope = NewDisposeScope();
        var count = costs.shape[0];
        var rows = zeros(count, 1, dtype: costs.dtype, device: costs.device);
        var columns = zeros(1, count, dtype: costs.dtype, device: costs.device);
        // the first one brings the numbers near to those of the plan
        (rows, columns) = InLogarithms(costs, columns, 1);
        var error = double.PositiveInfinity;
        for (var done = 1; done < most && !(error <= tolerance); done += Between)
        {
            using var inside = NewDisposeScope();
            var steps = Math.Min(Between, most - done);
            var (nextRows, nextColumns, off) = InProducts(costs, rows, columns, steps);
            error = off.Fetch<double>();
            if (!double.IsFinite(error))
            {
                (nextRows, nextColumns) = InLogarithms(costs, columns, steps);
                error = nextRows.add(nextColumns, Scalars.One).sub(costs).logsumexp(1).add(Scalars.Of(Math.Log(count)), Scalars.One).expm1()
                    .abs().max().Fetch<double>();
                // a cost that is not finite has no plan
                if (double.IsNaN(error)) done = most;
            }
            (rows, columns) = (inside.MoveToOuter(nextRows), inside.MoveToOuter(nextColumns));
        }
        return (scope.MoveToOuter(rows.add(columns, Scalars.One).sub(costs)), error);
    }

    private static (Tensor Rows, Tensor Columns) InLogarithms(Tensor costs, Tensor columns, int steps)
    {
        var logWeight = Scalars.Of(-Math.Log(costs.shape[0]));
        var rows = columns;
        for (var step = 0; step < steps; step++)
        {
            rows = columns.sub(costs).logsumexp(1, keepdim: true).neg().add(logWeight, Scalars.One);
            columns = rows.sub(costs).logsumexp(0, keepdim: true).neg().add(logWeight, Scalars.One);
        }
        return (rows, columns);
    }

    // factors of the plan so far; the error is not finite if one of them is not
    private static (Tensor Rows, Tensor Columns, Tensor Error) InProducts(Tensor costs, Tensor rows, Tensor columns, int steps)
    {
        var count = costs.shape[0];
        var plan = rows.add(columns, Scalars.One).sub(costs).exp();
        var turned = plan.t();
        var weight = full(count, Scalars.Of(1.0 / count), costs.dtype, costs.device);
        var (left, right) = (weight, ones(count, dtype: costs.dtype, device: costs.device));
        for (var step = 0; step < steps; step++)
        {
            left = weight.div(plan.mv(right));
            right = weight.div(turned.mv(left));
        }
        var error = plan.mv(right).mul(left).div(weight).sub(Scalars.One).abs().max();
        var (logLeft, logRight) = (left.log(), right.log());
        return (rows.add(logLeft.unsqueeze(1), Scalars.One), columns.add(logRight.unsqueeze(0), Scalars.One),
            error.add(logLeft.sum().add(logRight.sum(), Scalars.One).mul(Scalars.Zero), Scalars.One));
    }
}
