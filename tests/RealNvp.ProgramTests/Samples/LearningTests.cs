using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>Trained models against the truth, or against a model whose likelihood is known in closed form.</summary>
public class LearningTests
{
    [Fact]
    public void A_correlated_normal_is_learned_to_within_0_02_nats()
    {
        using var scope = NewDisposeScope();
        // x = m + L z: log p(x) = -½ |z|² - log|L| - 3/2 log 2π; the entropy is log|L| + 3/2 (1 + log 2π) = 3.2465 nats
        var factor = tensor(new[,] { { 2.0, 0, 0 }, { 1.5, 0.5, 0 }, { -1.0, 0.4, 0.3641 } });
        var logDeterminant = Math.Log(2.0 * 0.5 * 0.3641);
        (Tensor X, double MeanLogProb) Draw(long count, ulong seed)
        {
            using var generator = new Generator(seed);
            var z = randn([count, 3], dtype: float64, generator: generator);
            var mean = z.mul(z).sum(1).mean().item<double>() * -0.5;
            return (z.matmul(factor.t()).add(tensor([5.0, -1, 0.5])).to(float32), mean - logDeterminant - (1.5 * Math.Log(2 * Math.PI)));
        }
        var (train, _) = Draw(20_000, 1);
        var (held, truth) = Draw(50_000, 3);
        truth.Should().BeApproximately(-(logDeterminant + (1.5 * (1 + Math.Log(2 * Math.PI)))), 0.02,
            "the mean of log p is minus the entropy");
        using var model = new RealNvpModel(RealNvpOptions.Tabular(3) with { Layers = 6, Hidden = 32, Blocks = 1 }, seed: 0);
        var options = TrainingOptions.For(model.Options) with { Epochs = 8, ValidationFraction = 0, LearningRate = 3e-3 };
        using var trainer = new Trainer(model, options);
        trainer.Fit(TrainingData.From(train));
        var reached = model.Evaluate(held, batchSize: 5000).MeanLogProb;
        TestContext.Current.TestOutputHelper?.WriteLine($"truth {truth:F4}, model {reached:F4} nats");
        (truth - reached).Should().BeInRange(-0.001, 0.02, "no model is better than the truth, and this one is nearly as good");
    }

    [Fact]
    public void Two_moons_are_learned_to_within_0_05_nats_of_the_truth()
    {
        using var scope = NewDisposeScope();
        const double noise = 0.15;
        var (train, _) = Moons(8000, 1, noise);
        var (held, truth) = Moons(5000, 2, noise);
        using var model = new RealNvpModel(RealNvpOptions.Toy2D, seed: 0);
        using var trainer = new Trainer(model, TrainingOptions.For(model.Options) with { Epochs = 50, ValidationFraction = 0,
            LearningRate = 3e-3 });
        trainer.Fit(TrainingData.From(train));
        var reached = model.Evaluate(held, batchSize: 5000).MeanLogProb;
        using var normal = new RealNvpModel(RealNvpOptions.Toy2D with { Standardize = true }, seed: 0);
        normal.Standardization!.Fit(train);
        var baseline = normal.Evaluate(held, batchSize: 5000).MeanLogProb;
        TestContext.Current.TestOutputHelper?.WriteLine($"truth {truth:F4}, model {reached:F4}, normal {baseline:F4} nats");
        (truth - reached).Should().BeInRange(-0.01, 0.05);
        baseline.Should().BeLessThan(truth - 0.5, "a normal is much worse, so this proves something");
    }

    [Fact]
    public void Digits_take_half_a_bit_a_pixel_less_than_under_a_normal_with_full_covariance()
    {
        using var scope = NewDisposeScope();
        using var digits = ImageFolder.Open(SampleData.Digits);
        using var model = new RealNvpModel(RealNvpOptions.Digits8x8 with { Hidden = 16, Blocks = 1 }, seed: 0);
        using var trainer = new Trainer(model, new TrainingOptions { Epochs = 10, ValidationFraction = 0, LearningRate = 3e-3,
            Schedule = new CosineSchedule() });
        trainer.Fit(TrainingData.From(digits.Train.Images));
        var reached = model.Evaluate(digits.Test.Images).BitsPerDim;
        var normal = NormalBitsPerDim(digits.Train.Images, digits.Test.Images);
        TestContext.Current.TestOutputHelper?.WriteLine($"model {reached:F4}, normal {normal:F4} bits/dim");
        normal.Should().BeInRange(2.5, Math.Log2(17), "it is a fair rival, better than a uniform distribution");
        reached.Should().BeLessThan(normal - 0.5);
    }

    /// <summary>
    /// Bits a pixel under a normal fitted to k + u, u uniform in [0, 1). The unit is one grey level, and a level's cell has the volume 1,
    /// so this density is the likelihood of the integers as it is. Our flow scales by 1/K, and its dequantization adds the -log K that
    /// this costs, so both numbers are those of the integers.
    /// </summary>
    private static double NormalBitsPerDim(Tensor train, Tensor test)
    {
        using var generator = new Generator(3);
        Tensor Dequantized(Tensor x) => x.to(float64).flatten(1).add(rand([x.shape[0], 64], dtype: float64, generator: generator));
        var (fit, held) = (Dequantized(train), Dequantized(test));
        // [0L] and not 0, which C# takes for a dtype
        var mean = fit.mean([0L]);
        var centred = fit.sub(mean);
        var factor = linalg.cholesky(centred.t().matmul(centred).div(fit.shape[0]));
        var z = linalg.solve(factor, held.sub(mean).t());
        var logDeterminant = factor.diagonal().log().sum().item<double>();
        var logProb = (-0.5 * z.mul(z).sum([0L]).mean().item<double>()) - logDeterminant - (32 * Math.Log(2 * Math.PI));
        return -logProb / (64 * Math.Log(2));
    }

    /// <summary>Two half circles with normal noise, and the mean of their true log-density, integrated along the arcs.</summary>
    private static (Tensor X, double MeanLogProb) Moons(int count, int seed, double noise)
    {
        const int steps = 400;
        static (double X, double Y) Arc(bool second, double angle) => second ? (1 - Math.Cos(angle), 0.5 - Math.Sin(angle))
            : (Math.Cos(angle), Math.Sin(angle));
        var arcs = Enumerable.Range(0, 2 * steps).Select(i => Arc(i % 2 == 1, Math.PI * ((i / 2) + 0.5) / steps)).ToArray();
        var random = new Random(seed);
        double Normal() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        var points = new float[count, 2];
        double sum = 0;
        for (var n = 0; n < count; n++)
        {
            var (x, y) = Arc(random.Next(2) == 1, Math.PI * random.NextDouble());
            (x, y) = (x + (noise * Normal()), y + (noise * Normal()));
            (points[n, 0], points[n, 1]) = ((float)x, (float)y);
            var density = arcs.Average(a => Math.Exp(-(((x - a.X) * (x - a.X)) + ((y - a.Y) * (y - a.Y))) / (2 * noise * noise)));
            sum += Math.Log(density / (2 * Math.PI * noise * noise));
        }
        return (tensor(points), sum / count);
    }
}
