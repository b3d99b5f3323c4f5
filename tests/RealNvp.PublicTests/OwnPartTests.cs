using RealNvp.Checking;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.PublicTests;

/// <summary>A user's layers, densities, networks and encoders do what the library's own do, by what the package shows.</summary>
public class OwnPartTests
{
    [Fact]
    public void A_layer_of_ones_own_is_proved_like_any_other() =>
        FlowCheck.Verify(() => new SinhLayer(3), [3], new FlowCheckOptions { Extreme = 5 }).ThrowIfFailed();

    [Fact]
    public void A_flow_of_ones_own_parts_is_fitted_scored_sampled_and_kept()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var x = 5000 + (1000 * randn([600, 2], dtype: float64, generator: generator));
        using var flow = Make();
        using (var trainer = new Trainer(flow, new TrainingOptions { Epochs = 2, Seed = 1 })) trainer.Fit(TrainingData.From(x));
        var centring = (Centring)((Chain)flow.Bijection).Layers[0];
        centring.Middle.to(float64).sub(x.mean([0L])).abs().max().item<double>().Should().BeLessThan(100,
            "it was fitted to nine tenths of the rows");

        var logProb = flow.LogProb(x);
        logProb.isfinite().all().item<bool>().Should().BeTrue();
        flow.Decode(flow.Encode(x)).sub(x).abs().max().to(float64).item<double>().Should().BeLessThan(1);
        var (samples, of) = flow.SampleAndLogProb(50, seed: 3);
        flow.LogProb(samples).sub(of).abs().max().to(float64).item<double>().Should().BeLessThan(1e-2);

        var path = Path.Combine(Path.GetTempPath(), $"realnvp-public-{Guid.NewGuid():N}.safetensors");
        try
        {
            flow.SaveWeights(path);
            using var other = Make();
            other.LoadWeights(path);
            other.LogProb(x).equal(logProb).all().item<bool>().Should().BeTrue();
            ((Centring)((Chain)other.Bijection).Layers[0]).IsFitted.Should().BeTrue();
            // training on leaves what was fitted alone
            using var again = new Trainer(other, new TrainingOptions { Epochs = 1, LearningRate = 1e-12, ValidationFraction = 0 });
            again.Fit(TrainingData.From(x[..100] * 2));
            other.LogProb(x).mean().sub(logProb.mean()).abs().to(float64).item<double>().Should().BeLessThan(1e-3);
        }
        finally { File.Delete(path); }

        static Flow Make() => new([2], new Chain(
            new Centring(2), new Standardization([2]),
            new CouplingLayer([2], Mask.Alternating(2), new SplineTransformer(4), size => new OwnNetwork(size.Inputs, size.Outputs)),
            new DiagonalScaling([2])), new Laplace([2]));
    }

    [Fact]
    public void A_dequantization_of_ones_own_takes_integers()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([1, 4, 4], new Chain(new RandomHorizontalFlip(), new TriangleDequantization(16), new LogitTransform(0.05),
            new DiagonalScaling([1, 4, 4])));
        var x = randint(16, [20, 1, 4, 4], dtype: uint8);
        flow.Likelihood.Should().Be(Likelihood.LowerBound);
        flow.BitsPerDim(x, seed: 1).isfinite().all().item<bool>().Should().BeTrue();
        flow.Decode(flow.Encode(x, seed: 1)).to(uint8).equal(x).all().item<bool>().Should().BeTrue();
        FluentActions.Invoking(() => flow.LogProb(x + 10)).Should().Throw<ArgumentException>().WithMessage("*0 ... 15*");
        using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 1 });
        FluentActions.Invoking(() => trainer.Fit(TrainingData.From(x + 10))).Should().Throw<ArgumentException>().WithMessage("*0 ... 15*");
    }

    [Fact]
    public void An_encoder_of_ones_own_is_a_context_like_any_other()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([2],
            new CouplingLayer([2], Mask.FirstHalf(2), new SplineTransformer(4), size => new Mlp(size.Inputs, size.Outputs, 8, 1,
                contextSize: 2)), null, new AngleEncoder());
        var (x, angle) = (randn(64, 2), rand(64) * 6);
        using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 1 });
        trainer.Fit(TrainingData.From(x, angle)).Step.Should().BePositive();
        flow.LogProb(x, angle).sub(flow.LogProb(x, angle + (2 * Math.PI))).abs().max().to(float64).item<double>().Should().BeLessThan(1e-3);
        flow.Sample(3, angle[..5], seed: 1).shape.Should().Equal(5, 3, 2);
    }
}
