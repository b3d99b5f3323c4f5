using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <content>What the tests share: the comparison of both ways, and flows to compare.</content>
public partial class ReversibleTests
{
    private static FlowModel Model(string name, ScalarType dtype)
    {
        var model = PresetTable.Create(name);
        model.to(dtype);
        model.train();
        return model;
    }

    /// <summary>Three steps of gradient descent, each by both ways from the same weights: loss, gradients, statistics.</summary>
    private static void Compare(Flow plain, Flow reversible, Tensor x, Tensor? context, double tolerance)
    {
        reversible.ReversibleTraining = true;
        var constant = IgnoresLatents(plain.BaseDensity, x.dtype);
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
            results[1].Loss.Should().BeApproximately(results[0].Loss, tolerance * Math.Max(1, Math.Abs(results[0].Loss)),
                "the loss of step {0}", step);
            if (context is not null)
                Largest(results[1].Context!.sub(results[0].Context!)).Should().BeLessThanOrEqualTo(tolerance * Largest(results[0].Context!),
                    "the gradient of the context in step {0}", step);
            var expected = plain.named_parameters().ToDictionary(p => p.name, p => p.parameter);
            var size = Math.Sqrt(expected.Values.Sum(p => p.grad?.square().sum().to(float64).item<double>() ?? 0));
            foreach (var (key, parameter) in reversible.named_parameters())
            {
                // where the density is the same for all latents, autograd hands zeros to the node of the layers, whose output nobody used
                if (expected[key].grad is null && constant && parameter.grad is { } none)
                {
                    Largest(none).Should().Be(0, "the loss does not depend on {0}", key);
                    continue;
                }
                (parameter.grad is null).Should().Be(expected[key].grad is null, "{0} has a gradient where it has one in ordinary training",
                    key);
                if (parameter.grad is not null)
                    Largest(parameter.grad.sub(expected[key].grad!)).Should().BeLessThanOrEqualTo(tolerance * size,
                        "the gradient of {0} in step {1}", key, step);
            }
            var state = plain.state_dict();
            foreach (var (key, buffer) in reversible.named_buffers())
                Largest(buffer.to(float64).sub(state[key].to(float64))).Should()
                    .BeLessThanOrEqualTo(tolerance * Math.Max(1, Largest(state[key])), "{0} after step {1}", key, step);
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

    private static bool IgnoresLatents(Density density, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        return density.ContextSize == 0 && !density.LogProb(zeros(density.Shape.WithBatch(1), dtype).requires_grad_()).requires_grad;
    }

    private static double Largest(Tensor tensor) => tensor.numel() == 0 ? 0 : tensor.detach().to(float64).abs().max().item<double>();

    // as Glow's, whose ActNorm and 1×1 convolution run together
    private static Bijection[] Steps(int count) =>
        [.. Enumerable.Range(0, count).SelectMany(IEnumerable<Bijection> (_) => [new ActNorm([4, 2, 2]),
            new InvertibleLinearLayer([4, 2, 2]),
            new AffineCouplingLayer([4, 2, 2], Mask.ChannelWise(4), new GlowConvNet(2, 4, 8))])];

    /// <summary>A smooth density whose gradients mean something, of latents some of which are on circles.</summary>
    private sealed class OnCircles : Density
    {
        public OnCircles(EventShape shape, IReadOnlyList<Circle> circles) : base(nameof(OnCircles), shape)
        {
            CircularFeatures = circles;
            RegisterComponents();
        }

        public override IReadOnlyList<Circle> CircularFeatures { get; }

        protected override Tensor LogProbCore(Tensor z, Tensor? context) => z.sub(0.3).square().flatten(1).sum(1).neg();

        protected override Tensor SampleCore(long count, double temperature, ScalarType dtype, Device device, Generator? generator,
            Tensor? context) => throw new NotSupportedException();
    }
}
