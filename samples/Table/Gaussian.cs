using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Table;

/// <summary>A normal density with a full covariance, fitted by maximum likelihood: what a flow has to beat.</summary>
/// <remarks>
/// The features are brought to mean 0 and variance 1 first, and 1e-6 is added to the diagonal, so that the covariance of
/// features that repeat each other can still be inverted.
/// </remarks>
public sealed class Gaussian : IDisposable
{
    private const double Jitter = 1e-6;

    private readonly Tensor mean, scale, factor;
    private readonly double constant;

    /// <summary>Fits the density.</summary>
    /// <param name="rows">float64 (N, D) on the CPU, N at least 2. It is only read.</param>
    public Gaussian(Tensor rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        using var scope = NewDisposeScope();
        var features = rows.size(1);
        mean = rows.mean([0]);
        // a constant feature has no scale of its own
        scale = rows.std(0, unbiased: false);
        scale = where(scale > 0, scale, ones_like(scale));
        var z = (rows - mean) / scale;
        factor = linalg.cholesky(z.t().mm(z) / rows.size(0) + Jitter * eye(features, dtype: float64));
        constant = -0.5 * features * Math.Log(2 * Math.PI) - scale.log().sum().item<double>() - factor.diag().log().sum().item<double>();
        mean.MoveToOuterDisposeScope();
        scale.MoveToOuterDisposeScope();
        factor.MoveToOuterDisposeScope();
    }

    /// <summary>log p(x) in nats.</summary>
    /// <param name="rows">float64 (N, D) on the CPU.</param>
    public double[] LogProb(Tensor rows)
    {
        using var scope = NewDisposeScope();
        var white = linalg.solve_triangular(factor, ((rows - mean) / scale).t(), upper: false);
        return [.. white.square().sum([0]).data<double>().Select(squares => constant - 0.5 * squares)];
    }

    /// <summary>Frees the tensors.</summary>
    public void Dispose()
    {
        mean.Dispose();
        scale.Dispose();
        factor.Dispose();
    }
}
