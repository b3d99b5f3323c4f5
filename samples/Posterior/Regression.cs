using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Posterior;

/// <summary>
/// A cubic through 30 noisy points: y = Φw + e with e ~ N(0, σ²) and w ~ N(0, I). It is conjugate: posterior and evidence have formulas
/// (Bishop, Pattern Recognition and Machine Learning, section 3.3 and equation 3.86).
/// </summary>
public sealed class Regression : IPosterior
{
    private const int Points = 30, Weights = 4;
    private const double Noise = 0.4;
    private static readonly double logTwoPi = Math.Log(2 * Math.PI);
    private readonly Tensor features, targets;

    /// <summary>Makes the data.</summary>
    /// <param name="seed">Seeds the noise.</param>
    /// <param name="device">Where log-densities are computed.</param>
    public Regression(int seed, Device device)
    {
        using var generator = new Generator((ulong)seed);
        var x = linspace(-1, 1, Points, dtype: float64);
        var phi = stack([.. Enumerable.Range(0, Weights).Select(power => x.pow(power))], 1);
        var y = phi.matmul(tensor([0.5, -1.0, 0.8, 1.5])).add(randn([Points], dtype: float64, generator: generator).mul(Noise));
        Exact = Solve(phi, y);
        (features, targets) = (phi.t().to(float32).to(device), y.to(float32).to(device));
    }

    /// <inheritdoc/>
    public string Title => $"Bayesian linear regression: a cubic through {Points} points; exact by formula";

    /// <inheritdoc/>
    public IReadOnlyList<string> Names { get; } = [.. Enumerable.Range(0, Weights).Select(power => $"w{power}")];

    /// <inheritdoc/>
    public IReadOnlyList<(double Mean, double Deviation)> Prior { get; } = [.. Enumerable.Repeat((0.0, 1.0), Weights)];

    /// <inheritdoc/>
    public Answers Exact { get; }

    /// <inheritdoc/>
    public Tensor LogDensity(Tensor u)
    {
        var residuals = targets.sub(u.matmul(features)).div(Noise);
        var squares = residuals.square().sum(1).add(u.square().sum(1));
        return squares.mul(-0.5).sub((Points * (Math.Log(Noise) + (0.5 * logTwoPi))) + (0.5 * Weights * logTwoPi));
    }

    private static Answers Solve(Tensor phi, Tensor y)
    {
        // the posterior is N(A⁻¹Φᵀy/σ², A⁻¹) with A = I + ΦᵀΦ/σ², and y ~ N(0, C) with C = σ²I + ΦΦᵀ
        var covariance = linalg.inv(eye(Weights, dtype: float64).add(phi.t().matmul(phi).div(Noise * Noise)));
        var mean = covariance.matmul(phi.t().matmul(y)).div(Noise * Noise);
        var marginal = eye(Points, dtype: float64).mul(Noise * Noise).add(phi.matmul(phi.t()));
        var (_, logDet) = linalg.slogdet(marginal);
        var evidence = -0.5 * (y.dot(linalg.inv(marginal).matmul(y)).item<double>() + logDet.item<double>() + (Points * logTwoPi));
        return new Answers(evidence, mean.data<double>().ToArray(), covariance.diagonal().sqrt().data<double>().ToArray());
    }
}
