using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

/// <summary>Residual layers: inverses and what they refuse, which the laws over all layers cannot say.</summary>
[LeavesNoTensors]
public class ResidualLayerTests
{
    [Theory]
    [InlineData(ScalarType.Float32, 1e-6), InlineData(ScalarType.Float64, 1e-12)]
    public void The_inverse_has_a_true_residual_for_each_example_alone_or_among_others(ScalarType dtype, double most)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var layer = ResidualEstimateTests.Steep(null, [3], () => new LipschitzMlp(3, 3, 32, 2, coefficient: 0.99));
        layer.to(dtype);
        var y = cat([randn([40, 3], dtype: dtype), randn([5, 3], dtype: dtype).mul(1e-3), randn([5, 3], dtype: dtype).mul(30),
            zeros([1, 3], dtype: dtype)]);
        var x = layer.Inverse(y).Value;
        var residual = x.to(float64).add(NetworkCall.Of(layer.Network).Run(x, null)).sub(y).abs().amax(1);
        var largest = y.abs().maximum(x.abs()).amax(1);
        var allowed = FixedPoint.Tolerance(largest);
        // what the search compares is rounded to its dtype, as are y − x and what is subtracted from it: half a unit of the largest each
        var unit = largest.mul(dtype == ScalarType.Float32 ? Math.ScaleB(1, -23) : Math.ScaleB(1, -52));
        residual.le(allowed.add(unit)).all().item<bool>().Should().BeTrue();
        residual.narrow(0, 0, 45).max().item<double>().Should().BeLessThan(4 * most);
        for (var i = 0; i < 51; i += 10)
            layer.Inverse(y.narrow(0, i, 1)).Value.sub(x.narrow(0, i, 1)).abs().max().to(float64).item<double>().Should()
                .BeLessThan(100 * allowed[i].to(float64).item<double>());
    }

    [Fact]
    public void A_network_whose_bound_was_told_wrongly_ends_in_an_error_with_the_residual_and_the_layer()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([2], new ResidualLayer([2], new Turned(), lipschitz: 0.5));
        flow.Invoking(f => f.Decode(ones(2, 2))).Should().Throw<NonFiniteException>()
            .WithMessage("*bijection*ResidualLayer*2 of 2 example(s)*residual*0.5*");
    }

    // x + g(x) = 0 for every x
    private sealed class Turned() : nn.Module<Tensor, Tensor>(nameof(Turned))
    {
        public override Tensor forward(Tensor input) => input.neg();
    }

    [Fact]
    public void Bad_input_is_refused_with_a_word()
    {
        using var scope = NewDisposeScope();
        Refused<ArgumentException>(nn.Linear(2, 2), n => new ResidualLayer([2], n), "*does not say its Lipschitz constant*");
        Refused<ArgumentOutOfRangeException>(nn.Linear(2, 2), n => new ResidualLayer([2], n, lipschitz: 1), "*above 0 and below 1*");
        Refused<ArgumentException>(nn.Linear(2, 3), n => new ResidualLayer([2], n, lipschitz: 0.5), "*maps*");
        Refused<ArgumentException>(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), n => new ResidualLayer([2], n, lipschitz: 0.5),
            "*influence each other*");
        Refused<ArgumentException>(new LipschitzConvNet([1, 2, 2], 1, 2), n => new ResidualLayer([-1, 2, 2], n), "*all sizes known*");
        Refused<ArgumentException>(new LipschitzMlp(2, 2), n => new ResidualLayer([3], n), "*maps*");
        Refused<ArgumentOutOfRangeException>(new LipschitzMlp(2, 2), n => new ResidualLayer([2], n, new() { Terms = 0 }),
            "*ResidualLogDet.Terms*1 ... 1000*");
        Refused<ArgumentOutOfRangeException>(new LipschitzMlp(2, 2), n => new ResidualLayer([2], n, new() { RouletteParameter = 1 }),
            "*RouletteParameter*");
        Wrong(() => new LipschitzLinear(2, 2, 1), "*coefficient*");
        Wrong(() => new LipschitzLinear(2, 2, domain: 3), "*1, 2 or infinity*");
        Wrong(() => new LipschitzLinear(2, 2, domain: double.PositiveInfinity, codomain: 1), "*cannot be computed*");
        Wrong(() => new LipschitzConv2d(1, 1, 2, 4, 4), "*odd*");
        Wrong(() => new LipschitzMlp(2, 2, activation: ActivationKind.CLipSwish, norm: 1), "*CLipSwish*");
        using var layer = new ResidualLayer([2], new LipschitzMlp(2, 2));
        layer.Invoking(l => l.EstimateLogDet(ones(3, 3))).Should().Throw<ArgumentException>()
            .WithMessage("*EstimateLogDet expects x of shape (N, 2)*");
        layer.Invoking(l => l.EstimateLogDet(ones(3, 2), probes: 0)).Should().Throw<ArgumentOutOfRangeException>();
    }

    private static void Refused<T>(Conditioner network, Func<Conditioner, nn.Module> make, string message) where T : Exception
    {
        using (network) network.Invoking(make).Should().Throw<T>().WithMessage(message);
    }

    private static void Refused<T>(nn.Module<Tensor, Tensor> network, Func<nn.Module<Tensor, Tensor>, nn.Module> make, string message)
        where T : Exception
    {
        using (network) network.Invoking(make).Should().Throw<T>().WithMessage(message);
    }

    private static void Wrong(Func<nn.Module> make, string message) =>
        make.Should().Throw<ArgumentOutOfRangeException>().WithMessage(message);

    [Fact]
    public void Reversible_training_has_the_gradients_of_ordinary_training()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([2],
            new Chain([.. Enumerable.Range(0, 3).Select(_ => new ResidualLayer([2], new LipschitzMlp(2, 2, 8, 1, zero: false)))]));
        flow.to(float64);
        flow.train();
        var x = randn([20, 2], dtype: float64);
        flow.NegativeLogLikelihood(x).backward();
        var expected = flow.parameters().Select(p => p.grad!.clone()).ToArray();
        flow.zero_grad();
        // power iteration has arrived at its tolerance, and goes on by a step in each pass
        flow.ReversibleTraining = true;
        flow.NegativeLogLikelihood(x).backward();
        foreach (var (parameter, gradient) in flow.parameters().Zip(expected))
            parameter.grad!.sub(gradient).abs().max().item<double>().Should().BeLessThan(1e-2);
    }
}
