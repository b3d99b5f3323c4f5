using System.Collections.Frozen;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Common;

/// <summary>Samples of well-known densities in the plane, each within about -4 to 4.</summary>
/// <remarks>
/// Every method returns a new float32 tensor (n, 2) on the CPU that the caller disposes; n is at least 1. The same seed gives the
/// same points. The shapes are those of the FFJORD paper (Grathwohl et al., 2019, https://arxiv.org/abs/1810.01367).
/// </remarks>
public static class Toy2D
{
    /// <summary>All densities by name: "moons", "rings", "eight-gaussians", "pinwheel",
    /// "checkerboard", "two-spirals". The arguments are n and the seed.</summary>
    public static IReadOnlyDictionary<string, Func<int, int, Tensor>> All { get; } = new Dictionary<string, Func<int, int, Tensor>>
    {
        ["moons"] = Moons,
        ["rings"] = Rings,
        ["eight-gaussians"] = EightGaussians,
        ["pinwheel"] = Pinwheel,
        ["checkerboard"] = Checkerboard,
        ["two-spirals"] = TwoSpirals,
    }.ToFrozenDictionary();

    /// <summary>Two half circles that reach into each other, with normal noise of 0.2.</summary>
    /// <param name="n">The number of points, at least 1.</param>
    /// <param name="seed">The seed.</param>
    public static Tensor Moons(int n, int seed) => Draw(n, seed, random =>
    {
        var angle = Math.PI * random.NextDouble();
        var (x, y) = random.Next(2) == 0 ? (Math.Cos(angle), Math.Sin(angle)) : (1 - Math.Cos(angle), 0.5 - Math.Sin(angle));
        return (2 * (x - 0.5) + 0.2 * Normal(random), 2 * (y - 0.25) + 0.2 * Normal(random));
    });

    /// <summary>Four circles around the origin of radius 0.75, 1.5, 2.25 and 3, equally likely, with normal noise of 0.08.</summary>
    /// <param name="n">The number of points, at least 1.</param>
    /// <param name="seed">The seed.</param>
    public static Tensor Rings(int n, int seed) => Draw(n, seed, random =>
    {
        var (radius, angle) = (0.75 * (1 + random.Next(4)), 2 * Math.PI * random.NextDouble());
        return (radius * Math.Cos(angle) + 0.08 * Normal(random), radius * Math.Sin(angle) + 0.08 * Normal(random));
    });

    /// <summary>Eight round normals of standard deviation 0.35, on a circle of radius 2.83.</summary>
    /// <param name="n">The number of points, at least 1.</param>
    /// <param name="seed">The seed.</param>
    public static Tensor EightGaussians(int n, int seed) => Draw(n, seed, random =>
    {
        var angle = Math.PI / 4 * random.Next(8);
        return (2.83 * Math.Cos(angle) + 0.35 * Normal(random), 2.83 * Math.Sin(angle) + 0.35 * Normal(random));
    });

    /// <summary>Five bent blades around the origin.</summary>
    /// <param name="n">The number of points, at least 1.</param>
    /// <param name="seed">The seed.</param>
    public static Tensor Pinwheel(int n, int seed) => Draw(n, seed, random =>
    {
        var (radius, across) = (1 + 0.3 * Normal(random), 0.1 * Normal(random));
        var angle = 2 * Math.PI / 5 * random.Next(5) + 0.25 * Math.Exp(radius);
        return (2 * (radius * Math.Cos(angle) - across * Math.Sin(angle)), 2 * (radius * Math.Sin(angle) + across * Math.Cos(angle)));
    });

    /// <summary>The eight dark squares of a board of 4 x 4 squares, which fills -4 to 4; uniform, with sharp edges.</summary>
    /// <param name="n">The number of points, at least 1.</param>
    /// <param name="seed">The seed.</param>
    public static Tensor Checkerboard(int n, int seed) => Draw(n, seed, random =>
    {
        var column = random.Next(4);
        var row = 2 * random.Next(2) + column % 2;
        return (2 * (column + random.NextDouble()) - 4, 2 * (row + random.NextDouble()) - 4);
    });

    /// <summary>Two spirals of one and a half turns that wind around each other, with normal noise of 0.1.</summary>
    /// <param name="n">The number of points, at least 1.</param>
    /// <param name="seed">The seed.</param>
    public static Tensor TwoSpirals(int n, int seed) => Draw(n, seed, random =>
    {
        var angle = 3 * Math.PI * Math.Sqrt(random.NextDouble());
        var side = random.Next(2) == 0 ? 1 : -1;
        var (x, y) = (-Math.Cos(angle) * angle + 0.5 * random.NextDouble(), Math.Sin(angle) * angle + 0.5 * random.NextDouble());
        return (side * x / 3 + 0.1 * Normal(random), side * y / 3 + 0.1 * Normal(random));
    });

    private static Tensor Draw(int n, int seed, Func<Random, (double X, double Y)> point)
    {
        if (n < 1) throw new ArgumentException($"n is {n}; expected at least 1.", nameof(n));
        var random = new Random(seed);
        var points = new float[2 * (long)n];
        for (long i = 0; i < n; i++)
        {
            var (x, y) = point(random);
            (points[2 * i], points[2 * i + 1]) = ((float)x, (float)y);
        }
        return tensor(points, n, 2);
    }

    /// <summary>Box and Muller; 1 - u is never 0, so the logarithm is finite.</summary>
    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
