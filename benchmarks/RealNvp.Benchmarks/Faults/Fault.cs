using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks.Faults;

/// <summary>
/// A posterior of two parameters in closed form, and what is claimed of it. The context x is standard normal (N, 2). θ given x is normal
/// about x with deviations of 1 and a correlation of 0.5; or, with two modes, θ₁ is x₁ − 1.5 or x₁ + 1.5, with deviations of 0.5.
/// </summary>
internal sealed record Fault
{
    private const double Correlation = 0.5, Apart = 1.5, Narrow = 0.5;

    /// <summary>What is wrong, with its size.</summary>
    public required string Name { get; init; }

    /// <summary>Added to the means, in deviations of the posterior.</summary>
    public double Bias { get; init; }

    /// <summary>Times the deviations.</summary>
    public double Scale { get; init; } = 1;

    /// <summary>The correlation of the two parameters.</summary>
    public double Claimed { get; init; } = Correlation;

    /// <summary>Whether the first parameter is given as the second, and the second as the first.</summary>
    public bool Swapped { get; init; }

    /// <summary>Whether the density is the one that the parameters have without a context.</summary>
    public bool Prior { get; init; }

    /// <summary>Whether the truth has two modes.</summary>
    public bool TwoModes { get; init; }

    /// <summary>The weight of the lower mode; that of the truth is ½.</summary>
    public double LowerMode { get; init; } = 0.5;

    /// <summary>The faults of the table.</summary>
    public static IReadOnlyList<Fault> All { get; } =
    [
        new() { Name = "none" },
        new() { Name = "none, two modes", TwoModes = true },
        new() { Name = "bias of 0.25 deviations", Bias = 0.25 },
        new() { Name = "deviations × 0.8", Scale = 0.8 },
        new() { Name = "deviations × 1.25", Scale = 1.25 },
        new() { Name = "parameters swapped", Swapped = true },
        new() { Name = "one of two modes missing", TwoModes = true, LowerMode = 0 },
        new() { Name = "correlation 0 for 0.5", Claimed = 0 },
        new() { Name = "prior returned", Prior = true },
    ];

    /// <summary>True parameters and contexts, (N, 2) each.</summary>
    public (Tensor Theta, Tensor X) Pairs(long rows, long seed)
    {
        using var generator = new Generator((ulong)seed);
        var x = randn([rows, 2], float64, generator: generator);
        return (new Fault { Name = "truth", TwoModes = TwoModes }.Draw(x, 1, generator).squeeze(1), x);
    }

    /// <summary>What is claimed.</summary>
    public ConditionalDensity Density() => new((x, count, seed) =>
    {
        using var generator = new Generator((ulong)seed);
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(Draw(x, count, generator));
    }, (theta, x) =>
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(LogProb(theta, x));
    });

    private Tensor Mean(Tensor x) => Swapped ? x.flip(1) : Prior ? zeros_like(x) : x;

    // of one parameter; without the context its own variance is added
    private double Deviation => Scale * Math.Sqrt((TwoModes ? Narrow * Narrow : 1) + (Prior ? 1 : 0));

    private double Rho => TwoModes ? 0 : Prior ? Claimed / 2 : Claimed;

    private Tensor Draw(Tensor x, long count, Generator generator)
    {
        var noise = randn([x.shape[0], count, 2], float64, generator: generator);
        var (a, b) = (noise.select(2, 0), noise.select(2, 1));
        var second = a.mul(Rho).add(b.mul(Math.Sqrt(1 - (Rho * Rho))));
        var side = TwoModes
            ? rand([x.shape[0], count], float64, generator: generator).lt(LowerMode).to(float64).mul(-2 * Apart).add(Apart)
            : zeros_like(a);
        return stack([a.mul(Deviation).add(side), second.mul(Deviation)], 2).add(Mean(x).add(Bias).unsqueeze(1));
    }

    private Tensor LogProb(Tensor theta, Tensor x)
    {
        var u = theta.sub(Mean(x)).sub(Bias).div(Deviation);
        var (a, b) = (u.select(1, 0), u.select(1, 1));
        if (!TwoModes) return a.square().add(b.sub(a.mul(Rho)).square().div(1 - (Rho * Rho))).mul(-0.5);
        Tensor Mode(double side, double weight) =>
            a.sub(side * Apart / Deviation).square().mul(-0.5).add(Math.Log(Math.Max(weight, 1e-300)));
        return logaddexp(Mode(-1, LowerMode), Mode(1, 1 - LowerMode)).sub(b.square().mul(0.5));
    }
}
