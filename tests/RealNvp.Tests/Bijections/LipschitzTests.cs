using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

/// <summary>The parts of residual layers: norms from p to q, activations, and who leaves the search for an inverse.</summary>
[LeavesNoTensors]
public class LipschitzTests
{
    private const double Infinity = double.PositiveInfinity;

    [Theory]
    [InlineData(1, 1), InlineData(1, 2), InlineData(1, Infinity), InlineData(2, 2), InlineData(2, Infinity), InlineData(Infinity, Infinity)]
    public void The_norm_of_a_dense_weight_from_p_to_q_is_the_coefficient_and_no_vector_is_stretched_more(double p, double q)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var seed = new Generator(3);
        foreach (var (inputs, outputs) in new[] { (5L, 7L), (6L, 2L), (1L, 1L) })
            foreach (var training in new[] { true, false })
            {
                using var layer = new LipschitzLinear(inputs, outputs, 0.8, domain: p, codomain: q);
                layer.to(float64);
                layer.Weight.copy_(randn(outputs, inputs, dtype: float64, generator: seed).mul(10));
                layer.train(training);
                var weight = layer.Normalized();
                // what stretches most: a unit vector from 1; signs of a row from infinity; a row, or a singular vector, from 2
                var extremes = p == 1 ? eye(inputs, dtype: float64)
                    : double.IsPositiveInfinity(p) ? weight.sign()
                    : q == 2 ? linalg.svd(weight, false).Vh.narrow(0, 0, 1) : weight;
                var most = Stretch(extremes, weight, p, q);
                most.Should().BeInRange(0.8 * (1 - 1e-6), 0.8 * (1 + LipschitzLayer.Tolerance));
                Stretch(randn(2000, inputs, dtype: float64, generator: seed), weight, p, q).Should()
                    .BeLessThanOrEqualTo(most * (1 + 1e-12));
            }
    }

    [Theory, InlineData(1), InlineData(2), InlineData(Infinity)]
    public void The_norm_of_a_convolution_on_images_of_the_real_size_is_the_coefficient(double p)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var seed = new Generator(4);
        foreach (var (kernel, height, width) in new[] { (3L, 4L, 5L), (1L, 3L, 3L), (3L, 1L, 1L), (5L, 2L, 4L) })
        {
            using var layer = new LipschitzConv2d(2, 3, kernel, height, width, 0.7, norm: p);
            layer.to(float64);
            layer.Weight.mul_(50);
            layer.eval();
            var weight = layer.Normalized();
            var size = 2 * height * width;
            // (outputs, inputs)
            var dense = layer.Times(eye(size, dtype: float64).reshape(size, 2, height, width), weight).flatten(1).t();
            var norm = p == 2 ? linalg.svdvals(dense).max() : dense.abs().sum(p == 1 ? 0 : 1).max();
            norm.item<double>().Should().BeLessThanOrEqualTo(0.7 * (1 + 1e-9));
            // the closed forms count all of a kernel, of which a smaller image sees a part
            if (p == 2 || Math.Min(height, width) >= kernel) norm.item<double>().Should().BeGreaterThan(0.7 * (1 - 1e-6));
        }
    }

    [Theory, InlineData(ActivationKind.LipSwish), InlineData(ActivationKind.Elu), InlineData(ActivationKind.CLipSwish)]
    public void An_activation_stretches_nothing_and_each_place_has_one_of_its_own(ActivationKind kind)
    {
        using var scope = NewDisposeScope();
        using var activation = LipschitzActivation.Create(kind);
        activation.to(float64);
        var x = linspace(-40, 40, 400_001, dtype: float64).unsqueeze(1);
        foreach (var value in new[] { -6.0, -0.5, 0.5, 2, 9 })
        {
            using (no_grad()) foreach (var parameter in activation.parameters()) parameter.fill_(value);
            var y = activation.call(x);
            var steps = y.narrow(0, 1, 400_000).sub(y.narrow(0, 0, 400_000)).pow(2).sum(1).sqrt().div(80.0 / 400_000);
            steps.max().item<double>().Should().BeInRange(0.4, 1 + 1e-9);
        }
        using var network = new LipschitzMlp(3, 3, 8, 3, kind);
        var places = network.modules().OfType<LipschitzActivation>().ToArray();
        places.Distinct().Count().Should().Be(places.Length).And.Be(network.modules().OfType<LipschitzLayer>().Count());
        network.parameters().Distinct().Count().Should().Be(network.named_parameters().Count(), "no two places share a weight");
    }

    [Fact]
    public void Up_to_16_features_the_log_determinant_is_exact_and_beyond_it_is_an_estimate()
    {
        foreach (var (shape, exact) in new (EventShape, bool)[] { ([16], true), ([17], false), ([1, 4, 4], true), ([2, 3, 3], false) })
        {
            using var layer = new ResidualLayer(shape, shape.Count == 1 ? new LipschitzMlp(shape[0], shape[0], 4, 1)
                : new LipschitzConvNet(shape, shape[0], 2));
            (layer.IsExact, layer.IsStochastic).Should().Be((exact, !exact));
            layer.Likelihood.Should().Be(exact ? Likelihood.Exact : Likelihood.Estimate);
        }
        var options = new ResidualLogDet();
        (options.EvaluationTerms, options.EvaluationProbes, options.Roulette, options.RouletteParameter, options.NeumannGradient).Should()
            .Be((20, 8, RouletteKind.Geometric, 0.5, true));
    }

    [Fact]
    public void Examples_that_have_arrived_leave_the_search_for_an_inverse()
    {
        using var scope = NewDisposeScope();
        using var network = new Watched();
        using var layer = new ResidualLayer([2], network, lipschitz: 0.9);
        layer.eval();
        network.Sizes.Clear();
        var z = cat([zeros(5, 2), full(3, 2, 4.0f)]);
        var x = layer.Inverse(z).Value;
        network.Sizes.Should().Contain(8).And.Contain(3, "the zeros are their own inverse");
        network.Sizes.Take(network.Sizes.LastIndexOf(3) + 1).Should().BeInDescendingOrder("behind the search comes the log-determinant");
        x.add(x.mul(2).sin().mul(0.45)).sub(z).abs().max().item<float>().Should().BeLessThan(1e-5f);
    }

    private static double Stretch(Tensor rows, Tensor weight, double p, double q) =>
        Length(rows.mm(weight.t()), q).div(Length(rows, p)).max().item<double>();

    private static Tensor Length(Tensor rows, double p) =>
        p == 1 ? rows.abs().sum(1) : p == 2 ? rows.pow(2).sum(1).sqrt() : rows.abs().amax(1);

    private sealed class Watched() : nn.Module<Tensor, Tensor>(nameof(Watched))
    {
        public List<long> Sizes { get; } = [];

        public override Tensor forward(Tensor input)
        {
            Sizes.Add(input.size(0));
            using var scope = NewDisposeScope();
            return scope.MoveToOuter(input.mul(2).sin().mul(0.45));
        }
    }
}
