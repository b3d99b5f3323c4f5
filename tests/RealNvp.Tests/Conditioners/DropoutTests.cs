using RealNvp.Layers;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Conditioners;

/// <summary>Dropout of networks: by the seed in training, and nothing in evaluation.</summary>
public class DropoutTests
{
    private static readonly Dictionary<string, Func<double, ModelOptions>> models = new()
    {
        ["spline"] = p => SplineFlowOptions.Tabular(3) with { Layers = 2, Hidden = 16, Dropout = p },
        ["circles"] = p => SplineFlowOptions.Torus(3) with { Layers = 2, Hidden = 16, Dropout = p },
        ["MAF"] = p => MafOptions.Tabular(3) with { Layers = 2, Hidden = 16, Dropout = p },
        ["MAF, plain"] = p => MafOptions.SplineTabular(3) with { Layers = 2, Hidden = 16, Dropout = p, Residual = false },
        ["IAF"] = p => IafOptions.Tabular(3) with { Layers = 2, Hidden = 16, Dropout = p },
    };

    public static TheoryData<string> Models => [.. models.Keys];

    [Theory, MemberData(nameof(Models))]
    public void In_training_the_seed_decides_what_is_left_out(string name)
    {
        using var scope = NewDisposeScope();
        var first = Losses(models[name](0.5), 0, 1);
        Losses(models[name](0.5), 0, 2).Should().Equal(first, "torch's own random state has no part in it");
        Losses(models[name](0), 0, 1).Should().NotEqual(first);
        first.Should().OnlyContain(l => double.IsFinite(l));
    }

    [Theory, MemberData(nameof(Models))]
    public void In_evaluation_nothing_is_left_out_and_the_weights_have_the_same_names(string name)
    {
        using var scope = NewDisposeScope();
        using var with = models[name](0.5).NewModel(seed: 3);
        using var without = models[name](0).NewModel(seed: 4);
        foreach (var parameter in with.parameters())
            using (no_grad()) parameter.add_(rand_like(parameter), 0.1);
        with.state_dict().Keys.Should().Equal(without.state_dict().Keys);
        without.load_state_dict(with.state_dict());
        var x = Rows(20);
        with.LogProb(x).equal(without.LogProb(x)).all().item<bool>().Should().BeTrue();
        with.Sample(5, seed: 1).equal(without.Sample(5, seed: 1)).all().item<bool>().Should().BeTrue();
    }

    [Theory, MemberData(nameof(Models))]
    public void A_training_that_stops_and_goes_on_leaves_out_the_same(string name)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var x = Rows(48);
        using var model = models[name](0.4).NewModel(seed: 0);
        using var stop = new CancellationTokenSource();
        using (var trainer = new Trainer(model, Options(models[name](0.4), 5) with { CheckpointPath = folder.At("half") }))
            trainer.Fit(TrainingData.From(x), progress: new Half(stop), cancellationToken: stop.Token).Reason.Should().Be(
                StopReason.Cancelled);
        using var resumed = Trainer.Resume(folder.At("half"));
        using var flow = resumed.Flow;
        resumed.Fit(TrainingData.From(x)).History.Select(h => h.Loss).Should().Equal(Losses(models[name](0.4), 5, 1));
    }

    [Fact]
    public void Reversible_training_gives_the_losses_of_ordinary_training()
    {
        using var scope = NewDisposeScope();
        var ordinary = Losses(models["spline"](0.3), 0, 1);
        Losses(models["spline"](0.3), 0, 1, reversible: true).Zip(ordinary).Should().OnlyContain(
            l => Math.Abs(l.First - l.Second) < 1e-3);
    }

    [Fact]
    public void It_zeroes_the_share_that_it_says_and_scales_the_rest()
    {
        using var scope = NewDisposeScope();
        using var dropout = new SeededDropout(0.25);
        var x = ones(20_000, dtype: float64);
        Tensor Draw(long seed)
        {
            using (PassState.Seed(seed)) return dropout.call(x);
        }
        var y = Draw(1);
        var zeros = y.eq(0).to(float64).mean().item<double>();
        zeros.Should().BeApproximately(0.25, 4 * Math.Sqrt(0.25 * 0.75 / 20_000));
        y.sum().item<double>().Should().BeApproximately((1 - zeros) * 20_000 / 0.75, 1e-6);
        Draw(1).equal(y).all().item<bool>().Should().BeTrue();
        Draw(2).equal(y).all().item<bool>().Should().BeFalse();
        using (PassState.Seed(1)) dropout.call(x.to(float32)).eq(0).equal(y.eq(0)).all().item<bool>().Should().BeTrue();
        dropout.eval();
        Draw(1).equal(x).all().item<bool>().Should().BeTrue();
    }

    [Theory, InlineData(true), InlineData(false)]
    public void A_masked_network_keeps_its_order_in_training(bool residual)
    {
        using var scope = NewDisposeScope();
        using var made = new Made(4, 2, new() { Hidden = 32, Residual = residual, Dropout = 0.3 });
        foreach (var parameter in made.parameters())
            using (no_grad()) parameter.add_(rand_like(parameter), 0.2);
        var x = randn(6, 4);
        var other = x.clone();
        other[.., 2].add_(1);
        Tensor Parameters(Tensor rows)
        {
            using (PassState.Seed(4)) return made.call(rows, null).reshape(6, 2, 4);
        }
        var change = Parameters(x).sub(Parameters(other)).abs().amax(0, 1);
        change[..3].max().item<float>().Should().Be(0);
        change[3].item<float>().Should().BeGreaterThan(0);
    }

    [Fact]
    public void A_layer_with_one_is_not_repeatable_also_in_a_network_of_the_users()
    {
        using var own = new CouplingLayer([4], Mask.FirstHalf(4), new AffineTransformer([1]),
            nn.Sequential(new SeededDropout(0.1), nn.Linear(2, 4)));
        using var ours = new CouplingLayer([4], Mask.FirstHalf(4), new AffineTransformer([1]), new ResidualMlp(2, 4, 8, dropout: 0.1));
        using var none = new CouplingLayer([4], Mask.FirstHalf(4), new AffineTransformer([1]), new ResidualMlp(2, 4, 8));
        new[] { own, ours, none }.Select(l => l.IsRepeatable).Should().Equal(false, false, true);
    }

    [Theory, InlineData(-0.1), InlineData(0.95), InlineData(double.NaN)]
    public void A_probability_outside_of_its_range_is_refused(double p)
    {
        FluentActions.Invoking(() => new SeededDropout(p)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => new ResidualMlp(2, 2, dropout: p)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => new Made(2, 2, new() { Dropout = p })).Should().Throw<ArgumentOutOfRangeException>();
        foreach (var options in models.Values)
            FluentActions.Invoking(() => options(p).Validate()).Should().Throw<ArgumentException>().WithMessage("*Dropout must be in*");
    }

    [Fact]
    public void Dropout_without_a_block_is_refused()
    {
        FluentActions.Invoking(() => (SplineFlowOptions.Toy2D with { Blocks = 0, Dropout = 0.1 }).Validate()).Should()
            .Throw<ArgumentException>().WithMessage("*Dropout*no effect without Blocks*");
        FluentActions.Invoking(() => (MafOptions.Toy2D with { Blocks = 0, Dropout = 0.1 }).Validate()).Should()
            .Throw<ArgumentException>().WithMessage("*Dropout*no effect without Blocks*");
    }

    private static double[] Losses(ModelOptions options, long seed, int global, bool reversible = false)
    {
        using var model = options.NewModel(seed: 0);
        manual_seed(global);
        using var trainer = new Trainer(model, Options(options, seed) with { Reversible = reversible });
        return [.. trainer.Fit(TrainingData.From(Rows(48))).History.Select(h => h.Loss)];
    }

    private static TrainingOptions Options(ModelOptions options, long seed) => TrainingOptions.For(options) with
    {
        BatchSize = 16, Epochs = 3, LearningRate = 1e-2, ValidationFraction = 0, Seed = seed, Schedule = new ConstantSchedule(),
    };

    private static Tensor Rows(int count)
    {
        using var generator = new Generator(11);
        return randn(count, 3, generator: generator).clamp(-3, 3);
    }

    private sealed class Half(CancellationTokenSource stop) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Step == 5) stop.Cancel();
        }
    }
}
