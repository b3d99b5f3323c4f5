using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>The continuous model: what is its own beside the laws of all models.</summary>
public class FfjordModelTests
{
    [Fact, LeavesNoTensors]
    public void Samples_by_a_solver_of_the_caller_come_near_to_those_of_the_model()
    {
        using var scope = NewDisposeScope();
        using var model = Random(FfjordOptions.Matching2D with { Hidden = 16, Tolerance = 1e-10 });
        var samples = model.Sample(50, seed: 4);
        double Off(OdeOptions solver) => model.SampleWith(solver, 50, seed: 4).sub(samples).abs().max().item<double>();
        Off(new() { Method = OdeMethod.Rk4, Steps = 200 }).Should().BeLessThan(1e-8);
        var (coarse, fine) = (Off(new() { Method = OdeMethod.Euler, Steps = 10 }), Off(new() { Method = OdeMethod.Euler, Steps = 20 }));
        (coarse / fine).Should().BeInRange(1.5, 2.7, "twice as many steps of Euler's method are off by half");
        ((ContinuousLayer)((Chain)model.Bijection).Layers[^1]).LastStatistics.Should().NotBeNull();
        FluentActions.Invoking(() => model.SampleWith(new() { Steps = 0, Method = OdeMethod.Euler }, 5)).Should()
            .Throw<ArgumentException>();
        FluentActions.Invoking(() => model.SampleWith(new() { ErrorWeights = [1, 1] }, 5)).Should().Throw<ArgumentException>();
        using var other = new Flow([2], new DiagonalScaling([2]));
        FluentActions.Invoking(() => other.SampleWith(new(), 5)).Should().Throw<ArgumentException>().WithMessage("*No layer*solves*");
    }

    [Fact, LeavesNoTensors]
    public void Log_probabilities_are_differentiable_along_the_data()
    {
        using var scope = NewDisposeScope();
        using var model = Random(FfjordOptions.Toy2D with { Hidden = 8, HiddenLayers = 2, Tolerance = 1e-10 });
        using var seed = new Generator(3);
        var x = randn(4, 2, dtype: float64, generator: seed).requires_grad_(true);
        model.LogProb(x).sum().backward();
        for (var i = 0; i < 2; i++)
        {
            var step = zeros(2, dtype: float64);
            step[i] = 1e-4;
            var difference = model.LogProb(x.detach().add(step)).sub(model.LogProb(x.detach().sub(step))).div(2e-4);
            x.grad!.select(1, i).sub(difference).abs().max().item<double>().Should().BeLessThan(1e-5);
        }
    }

    [Fact, LeavesNoTensors]
    public void A_torus_has_no_edge()
    {
        using var scope = NewDisposeScope();
        using var model = Random(FfjordOptions.Torus(2) with { Hidden = 16, Tolerance = 1e-9 });
        using var seed = new Generator(5);
        var x = rand(20, 2, dtype: float64, generator: seed).mul(2 * Math.PI).sub(Math.PI);
        var turned = x.clone();
        turned.select(1, 0).fill_(-Math.PI);
        var other = turned.clone();
        other.select(1, 0).fill_(Math.PI);
        model.LogProb(turned).sub(model.LogProb(other)).abs().max().item<double>().Should().BeLessThan(1e-6);
        model.LogProb(x.add(2 * Math.PI)).sub(model.LogProb(x)).abs().max().item<double>().Should().BeLessThan(1e-6);
        var samples = model.Sample(200, seed: 1);
        samples.ge(-Math.PI).logical_and(samples.lt(Math.PI)).all().item<bool>().Should().BeTrue();
        // the density of a torus is 1 in all, by the mean over points of a grid
        var axis = linspace(-Math.PI, Math.PI - (2 * Math.PI / 40), 40, dtype: float64);
        var grid = stack([axis.repeat_interleave(40), axis.repeat(40)], 1);
        (model.LogProb(grid).exp().mean().item<double>() * 4 * Math.PI * Math.PI).Should().BeApproximately(1, 1e-4);
        // and flow matching finds its way over the edge
        using var batch = new TrainingBatch(x);
        Objective.FlowMatching().Loss(model, batch, 1).max().item<double>().Should().BeLessThan((4 * Math.PI) * (4 * Math.PI));
    }

    [Fact]
    public void What_does_not_go_together_is_refused()
    {
        foreach (var options in new[]
        {
            FfjordOptions.Toy2D with { CircularFeatures = [0, 1] }, FfjordOptions.Torus(3) with { CircularFeatures = [0] },
            FfjordOptions.Torus(2) with { Standardize = true }, FfjordOptions.Toy2D with { Squeezes = 1 },
                FfjordOptions.Toy2D with { InputLimit = 5 },
            FfjordOptions.Grey28x28 with { Squeezes = 3 }, FfjordOptions.Toy2D with { Tolerance = 2 },
                FfjordOptions.Grey28x28 with { Standardize = true },
        })
            FluentActions.Invoking(options.Validate).Should().Throw<ArgumentException>().WithMessage("*FfjordOptions.*");
    }

    private static readonly Dictionary<string, FfjordOptions> badCircles = new()
    {
        ["*.Levels must be 0 with CircularFeatures*256*"] = FfjordOptions.Torus(2) with { Levels = 256 },
        ["*.Standardize must be false with CircularFeatures*"] = FfjordOptions.Torus(2) with { Standardize = true },
        ["*.TailThreshold must be null with CircularFeatures*"] = FfjordOptions.Torus(2) with { TailThreshold = 3 },
        ["*.CircularFeatures must be all features of (3,), 0 to 2*[0]*"] = FfjordOptions.Torus(3) with { CircularFeatures = [0] },
        ["*.Network must be Plain with CircularFeatures*"] = FfjordOptions.Toy2D with { CircularFeatures = [0, 1] },
    };

    public static TheoryData<string> BadCircles => [.. badCircles.Keys];

    [Theory, MemberData(nameof(BadCircles))]
    public void An_option_that_circles_cannot_have_is_named(string words) =>
        FluentActions.Invoking(badCircles[words].Validate).Should().Throw<ArgumentException>().WithMessage(words);

    [Theory, InlineData("FFJORD, Toy2D"), InlineData("FFJORD, Digits8x8"), InlineData("FFJORD, Torus")]
    public void A_likelihood_is_numerical_and_of_integers_a_bound(string name)
    {
        using var model = PresetTable.All[name].NewModel();
        model.Likelihood.IsNumerical.Should().BeTrue();
        model.Likelihood.IsEstimate.Should().BeFalse("the divergence is exact");
        model.Likelihood.Kind.Should().Be(name.EndsWith("8x8", StringComparison.Ordinal) ? LikelihoodKind.LowerBound
            : LikelihoodKind.Numerical);
    }

    // its entropy is known
    [SlowFact]
    public void Flow_matching_fits_a_ring_within_a_tenth_of_a_nat_of_its_entropy()
    {
        using var scope = NewDisposeScope();
        using var seed = new Generator(1);
        Tensor Ring(long count)
        {
            var angle = rand(count, generator: seed).mul(2 * Math.PI);
            var radius = randn(count, generator: seed).mul(0.1).add(2);
            return stack([radius.mul(angle.cos()), radius.mul(angle.sin())], 1);
        }
        // E log p = -log(2π) - E log r - ½ log(2πe·0.01)
        var truth = -Math.Log(2 * Math.PI) - Math.Log(2) + (0.01 / 8) - (0.5 * Math.Log(2 * Math.PI * Math.E * 0.01));
        using var model = new FfjordModel(FfjordOptions.Matching2D with { Hidden = 128, Standardize = true }, 0);
        using var trainer = new Trainer(model, Objective.FlowMatching(), new TrainingOptions
        {
            MaxSteps = 1500, Epochs = 1000, LearningRate = 3e-3, AverageDecay = 0.99, Schedule = new CosineSchedule { WarmUpSteps = 50 },
            ValidationFraction = 0,
        });
        trainer.Fit(TrainingData.From(Ring(20_000)));
        var result = model.Evaluate(Ring(2_000), batchSize: 2_000);
        result.MeanLogProb.Should().BeInRange(truth - 0.1, truth + (4 * result.StandardError));
    }

    private static FfjordModel Random(FfjordOptions options)
    {
        var model = new FfjordModel(options, 2);
        model.to(float64);
        model.eval();
        using var seed = new Generator(2);
        using var _ = no_grad();
        foreach (var parameter in model.parameters())
            using (var noise = randn(parameter.shape, dtype: float64, generator: seed).mul(0.3)) parameter.add_(noise);
        return model;
    }
}
