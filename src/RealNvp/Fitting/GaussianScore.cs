using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Fitting;

/// <summary>The mean log-density of rows by a normal density with the mean and the covariance of other rows.</summary>
internal static class GaussianScore
{
    // on the diagonal of the correlations, for columns that are sums of others
    private const double Jitter = 1e-6;
    private const long RowsAtATime = 1 << 16;

    /// <summary>The score in nats.</summary>
    /// <param name="train">(N, D), N of at least 2, no column constant.</param>
    /// <param name="held">(M, D).</param>
    public static double Of(Tensor train, Tensor held)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var features = train.shape[1];
        using var moments = new FeatureMoments();
        foreach (var part in Batch.Rows(train)) moments.Add(part);
        var mean = moments.Mean.to(float64);
        var deviations = moments.Variance().to(float64).sqrt();
        var sums = zeros([features, features], float64);
        Each(train, rows =>
        {
            var z = White(rows, mean, deviations);
            sums.add_(z.t().mm(z), Scalars.One);
        });
        var correlations = sums.FetchDoubles();
        for (var i = 0; i < correlations.Length; i++) correlations[i] /= train.shape[0];
        var (inverse, logDet) = InverseFactor(correlations, (int)features);
        var whitening = tensor(inverse, [features, features], device: CPU);
        var constant = deviations.log().sum().FetchDouble() + logDet + (0.5 * features * Math.Log(2 * Math.PI));
        double squares = 0;
        Each(held, rows =>
        {
            var z = White(rows, mean, deviations).mm(whitening.t());
            squares += z.mul(z).sum().FetchDouble();
        });
        return (-0.5 * squares / held.shape[0]) - constant;
    }

    private static Tensor White(Tensor rows, Tensor mean, Tensor deviations) => rows.to(float64).sub(mean).div(deviations);

    private static void Each(Tensor x, Action<Tensor> action)
    {
        for (long start = 0; start < x.shape[0]; start += RowsAtATime)
        {
            using var scope = NewDisposeScope();
            action(x.narrow(0, start, Math.Min(RowsAtATime, x.shape[0] - start)));
        }
    }

    // the inverse of the lower Cholesky factor L of a matrix, and log det L
    private static (double[] Inverse, double LogDet) InverseFactor(double[] matrix, int n)
    {
        var factor = new double[n * n];
        double logDet = 0;
        for (var i = 0; i < n; i++)
            for (var j = 0; j <= i; j++)
            {
                var sum = matrix[(i * n) + j] + (i == j ? Jitter : 0);
                for (var k = 0; k < j; k++) sum -= factor[(i * n) + k] * factor[(j * n) + k];
                if (i == j) logDet += Math.Log(factor[(i * n) + i] = Math.Sqrt(Math.Max(sum, Jitter)));
                else factor[(i * n) + j] = sum / factor[(j * n) + j];
            }
        var inverse = new double[n * n];
        for (var column = 0; column < n; column++)
            for (var i = column; i < n; i++)
            {
                var sum = i == column ? 1.0 : 0.0;
                for (var k = column; k < i; k++) sum -= factor[(i * n) + k] * inverse[(k * n) + column];
                inverse[(i * n) + column] = sum / factor[(i * n) + i];
            }
        return (inverse, logDet);
    }
}
