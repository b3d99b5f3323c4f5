using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Calibrating;

/// <summary>x is standard normal (N, 2), and θ given x is normal with mean x and the covariance [1, r; r, 1]: all in closed form.</summary>
internal sealed record Linear
{
    public const double Correlation = 0.5;

    /// <summary>Added to the mean of what is claimed.</summary>
    public double Bias { get; init; }

    /// <summary>Times the deviations that are claimed.</summary>
    public double Scale { get; init; } = 1;

    /// <summary>The correlation that is claimed.</summary>
    public double Claimed { get; init; } = Correlation;

    /// <summary>Whether the context is ignored: then θ has twice the variance, and correlates as much by the noise alone.</summary>
    public bool IgnoresContext { get; init; }

    public static (Tensor Theta, Tensor X) Pairs(long rows, long seed)
    {
        using var generator = new Generator((ulong)seed);
        using var scope = NewDisposeScope();
        var x = randn([rows, 2], float64, generator: generator);
        var theta = x.add(Colored(randn([rows, 2], float64, generator: generator), Correlation));
        return (scope.MoveToOuter(theta), scope.MoveToOuter(x));
    }

    public ConditionalDensity Density(bool known = true) => new(Sample, known ? LogProb : null);

    private double Variance => (IgnoresContext ? 2 : 1) * Scale * Scale;

    private double Rho => IgnoresContext ? Claimed / 2 : Claimed;

    private Tensor Mean(Tensor x) => (IgnoresContext ? zeros_like(x) : x).add(Bias);

    private Tensor Sample(Tensor x, int count, long seed)
    {
        using var generator = new Generator((ulong)seed);
        using var scope = NewDisposeScope();
        var noise = Colored(randn([x.shape[0], count, 2], float64, generator: generator), Rho);
        return scope.MoveToOuter(noise.mul(Math.Sqrt(Variance)).add(Mean(x).unsqueeze(1)));
    }

    private Tensor LogProb(Tensor theta, Tensor x)
    {
        using var scope = NewDisposeScope();
        var u = theta.sub(Mean(x)).div(Math.Sqrt(Variance));
        var (a, b) = (u.select(1, 0), u.select(1, 1).sub(u.select(1, 0).mul(Rho)).div(Math.Sqrt(1 - (Rho * Rho))));
        return scope.MoveToOuter(a.square().add(b.square()).mul(-0.5));
    }

    private static Tensor Colored(Tensor noise, double correlation)
    {
        var (a, b) = (noise.select(-1, 0), noise.select(-1, 1));
        return stack([a, a.mul(correlation).add(b.mul(Math.Sqrt(1 - (correlation * correlation))))], -1);
    }
}
