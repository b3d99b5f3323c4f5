using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>Reversible training gives what ordinary training gives.</summary>
[LeavesNoTensors]
public class ReversibleTests
{
    public static TheoryData<string> Presets => PresetTable.Names;

    public static TheoryData<string> Layers => LayerTable.Names;

    [Theory, MemberData(nameof(Presets))]
    public void Gradients_statistics_and_losses_of_every_preset_are_those_of_ordinary_training(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        foreach (var (dtype, tolerance) in new[] { (float64, 1e-10), (float32, 1e-5) })
        {
            using var plain = Model(name, dtype);
            using var reversible = Model(name, dtype);
            Compare(plain, reversible, PresetTable.Examples(options, 6).to(dtype), PresetTable.Context(options, 6)?.to(dtype), tolerance);
        }
    }

    [Theory, MemberData(nameof(Layers))]
    public void Gradients_through_every_layer_are_those_of_ordinary_training(string name)
    {
        using var scope = NewDisposeScope();
        var row = LayerTable.Find(name);
        if (row.Sample is not null) return;   // a layer of integers has no weights before it
        Flow Build()
        {
            manual_seed(2);
            // weights before and after it, so that gradients must pass through
            var layer = new Chain(new DiagonalScaling(row.Shape), row.Make());
            var flow = new Flow(row.Shape, new Chain(layer, new DiagonalScaling(layer.OutputShapeOf(row.Shape))));
            RandomWeights.Draw(flow, 3);
            flow.to(float64);
            flow.train();
            return flow;
        }
        using var plain = Build();
        using var reversible = Build();
        using var generator = new Generator(4);
        var x = rand(row.Shape.WithBatch(5), dtype: float64, generator: generator).mul(0.5).add(0.1);
        Compare(plain, reversible, x, plain.ContextSize > 0 ? randn([5, plain.ContextSize], dtype: float64, generator: generator) : null, 1e-10);
    }

    private static FlowModel Model(string name, ScalarType dtype)
    {
        var model = PresetTable.Create(name);
        model.to(dtype);
        model.train();
        return model;
    }

    /// <summary>Three steps of gradient descent with each, and all of their state. Rows weigh differently in the loss.</summary>
    private static void Compare(Flow plain, Flow reversible, Tensor x, Tensor? context, double tolerance)
    {
        reversible.ReversibleTraining = true;
        for (var step = 0; step < 3; step++)
        {
            using var scope = NewDisposeScope();
            var results = new List<(double Loss, Tensor? Context)>();
            foreach (var flow in new[] { plain, reversible })
            {
                flow.zero_grad();
                var leaf = context?.detach().requires_grad_(true);
                var loss = flow.NegativeLogLikelihood(x, leaf, step);
                loss.backward();
                results.Add((loss.to(float64).item<double>(), leaf?.grad));
            }
            results[1].Loss.Should().BeApproximately(results[0].Loss, tolerance * Math.Max(1, Math.Abs(results[0].Loss)), "the loss of step {0}", step);
            if (context is not null) Largest(results[1].Context!.sub(results[0].Context!)).Should().BeLessThanOrEqualTo(tolerance * Largest(results[0].Context!), "the gradient of the context in step {0}", step);
            var expected = plain.named_parameters().ToDictionary(p => p.name, p => p.parameter);
            var size = Math.Sqrt(expected.Values.Sum(p => p.grad?.square().sum().to(float64).item<double>() ?? 0));
            foreach (var (key, parameter) in reversible.named_parameters())
            {
                (parameter.grad is null).Should().Be(expected[key].grad is null, "{0} has a gradient where it has one in ordinary training", key);
                if (parameter.grad is not null) Largest(parameter.grad.sub(expected[key].grad!)).Should().BeLessThanOrEqualTo(tolerance * size, "the gradient of {0} in step {1}", key, step);
            }
            var state = plain.state_dict();
            foreach (var (key, buffer) in reversible.named_buffers())
                Largest(buffer.to(float64).sub(state[key].to(float64))).Should().BeLessThanOrEqualTo(tolerance * Math.Max(1, Largest(state[key])), "{0} after step {1}", key, step);
            reversible.ReversibleDrift.Should().BeLessThan(ReversibleSession.Limit(x.dtype));
            using (no_grad())
                foreach (var (key, parameter) in reversible.named_parameters())
                {
                    // the same weights again, so that each step is judged alone
                    if (expected[key].grad is { } gradient) expected[key].sub_(gradient.mul(1e-3 / size));
                    parameter.copy_(expected[key]);
                }
        }
    }

    private static double Largest(Tensor tensor) => tensor.numel() == 0 ? 0 : tensor.detach().to(float64).abs().max().item<double>();
}
