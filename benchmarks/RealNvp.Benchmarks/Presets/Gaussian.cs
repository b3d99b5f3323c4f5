using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks.Presets;

/// <summary>A normal density with the mean and the covariance of the rows: what a flow must be better than.</summary>
internal static class Gaussian
{
    public static Func<Tensor, Tensor> Fit(Tensor rows)
    {
        var x = rows.to(float64);
        var mean = x.mean([0L], keepdim: true);
        var centered = x.sub(mean);
        // a little on the diagonal, for columns that are sums of others
        var factor = linalg.cholesky(centered.t().mm(centered).div(x.shape[0]).add(eye(x.shape[1], dtype: float64).mul(1e-6)));
        var constant = factor.diagonal().log().sum().add(0.5 * x.shape[1] * Math.Log(2 * Math.PI));
        return given =>
        {
            var z = linalg.solve_triangular(factor, given.to(float64).sub(mean).t(), upper: false);
            return z.mul(z).sum([0L]).mul(-0.5).sub(constant);
        };
    }
}
