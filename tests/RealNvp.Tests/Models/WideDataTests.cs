using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>Data in float64 that reach the layer which converts them behind layers that keep their dtype.</summary>
[LeavesNoTensors]
public sealed class WideDataTests
{
    [Theory, InlineData("circle beside a column"), InlineData("permutation before it")]
    public void Seconds_since_1970_keep_their_digits_behind_other_layers(string name)
    {
        using var scope = NewDisposeScope();
        using var flow = name == "circle beside a column"
            ? new SplineFlowModel(SplineFlowOptions.Tabular(3) with { Layers = 2, Hidden = 8, CircularFeatures = [1] }, 0)
            : new Flow([3], new Chain(new Permutation([3], [2, 1, 0]), new Standardization([3]), new DiagonalScaling([3])));
        var angles = rand(2000, dtype: float64).mul(6).sub(3);
        var x = stack([arange(0, 2000, dtype: float64).add(1.7e9), angles, randn(2000, dtype: float64)], 1);
        using (var trainer = new Trainer(flow, new TrainingOptions { Epochs = 1, BatchSize = 500, LearningRate = 1e-12,
                ValidationFraction = 0 }))
            trainer.Fit(TrainingData.From(x));
        var z = flow.Encode(x);
        z.dtype.Should().Be(float32);
        flow.LogProb(x).dtype.Should().Be(float32);
        var back = flow.Decode(z, dtype: float64);
        back.dtype.Should().Be(float64);
        back.sub(x).abs().amax([0L])[0].item<double>().Should().BeLessThan(0.05);
        back.sub(x).abs().amax([0L])[1].item<double>().Should().BeLessThan(1e-3);
        flow.Sample(300, seed: 1, dtype: float64).select(1, 0).unique().output.shape[0].Should().Be(300);
        flow.Decode(z).dtype.Should().Be(float32);
    }

    [Fact]
    public void An_angle_of_many_turns_keeps_its_digits()
    {
        using var scope = NewDisposeScope();
        using var flow = new SplineFlowModel(SplineFlowOptions.Torus(2) with { Layers = 2, Hidden = 8 }, 0);
        Laws.RandomWeights.Draw(flow, 2, 0.3);
        var x = rand([200, 2], dtype: float64).mul(6).sub(3);
        var turned = x.add(2 * Math.PI * 1_000_000);
        flow.LogProb(turned).sub(flow.LogProb(x)).abs().max().item<float>().Should().BeLessThan(1e-3f);
        flow.Decode(flow.Encode(turned), dtype: float64).sub(x).abs().max().item<double>().Should().BeLessThan(1e-3);
    }
}
