using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>The penalty on all weights, and that on scales beside it.</summary>
public class WeightDecayTests
{
    [Theory, InlineData(0, 0.02), InlineData(0.1, 0), InlineData(0.1, 0.02)]
    public void Each_weight_gets_its_penalty(double all, double scales)
    {
        using var model = new RealNvpModel(RealNvpOptions.Digits8x8 with { Hidden = 4, Scales = 1, Blocks = 1 }, seed: 0);
        IReadOnlyList<ParameterGroup> groups = [];
        using var trainer = new Trainer(model, Objective.MaximumLikelihood, new() { WeightDecay = all, WeightNormDecay = scales }, given =>
        {
            groups = given;
            return new AdamOptimizer(given);
        });
        var decays = groups.SelectMany(g => g.Parameters.Select(p => (p.Name, g.WeightDecay))).ToList();
        decays.Should().HaveCount(model.parameters().Count(p => p.requires_grad));
        foreach (var (name, decay) in decays)
            decay.Should().BeApproximately(name.EndsWith("weight_g", StringComparison.Ordinal)
                || name.EndsWith("transformer.scale", StringComparison.Ordinal) ? all + scales : all, 1e-12, name);
    }

    [Fact]
    public void A_training_with_a_large_penalty_ends_with_small_weights()
    {
        using var scope = NewDisposeScope();
        double Size(double decay)
        {
            using var model = new MafModel(MafOptions.Toy2D with { Hidden = 16, Layers = 2 }, seed: 0);
            using var trainer = new Trainer(model, new() { BatchSize = 20, Epochs = 20, LearningRate = 1e-2, WeightDecay = decay });
            using var generator = new Generator(5);
            trainer.Fit(TrainingData.From(randn(100, 2, generator: generator)));
            return model.parameters().Sum(p => p.square().sum().item<float>());
        }
        Size(1).Should().BeLessThan(0.5 * Size(0));
    }
}
