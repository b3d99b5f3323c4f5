using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

/// <summary>Log-determinants of residual layers that are estimates: their means, their errors, their gradients.</summary>
[LeavesNoTensors]
public class ResidualEstimateTests
{
    [Theory]
    [InlineData(RouletteKind.Geometric, 0.5, HutchinsonProbe.Rademacher), InlineData(RouletteKind.Geometric, 0.4, HutchinsonProbe.Gaussian)]
    [InlineData(RouletteKind.Poisson, 2, HutchinsonProbe.Rademacher)]
    public void Estimates_are_right_on_average_over_1000_draws(RouletteKind kind, double parameter, HutchinsonProbe probe)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var logDet = new ResidualLogDet { ExactUpTo = 0, Roulette = kind, RouletteParameter = parameter, Probe = probe,
            EvaluationTerms = 1 };
        using var layer = Steep(logDet, [3], () => new LipschitzMlp(3, 3, 5, 1));
        var x = randn([4, 3], dtype: float64);
        var exact = JacobianLogDet.Of(NetworkCall.Of(layer.Network).At(x, null).Jacobian());
        var (value, error) = layer.EstimateLogDet(x, probes: 1000, seed: 1);
        error!.max().item<double>().Should().BeInRange(1e-6, 0.1);
        value.sub(exact).abs().div(error).max().item<double>().Should().BeLessThan(4);
    }

    [SlowTheory]
    [InlineData(RouletteKind.Geometric, 0.5, HutchinsonProbe.Rademacher), InlineData(RouletteKind.Geometric, 0.5, HutchinsonProbe.Gaussian),
        InlineData(RouletteKind.Poisson, 2, HutchinsonProbe.Rademacher)]
    public void Neumann_gradients_are_right_on_average_over_1000_draws(RouletteKind kind, double parameter,
        HutchinsonProbe probe)
    {
        using var scope = NewDisposeScope();
        using var layer = Steep(new ResidualLogDet { ExactUpTo = 0, Roulette = kind, RouletteParameter = parameter, Probe = probe,
            Terms = 1 }, [3], () => new LipschitzMlp(3, 3, 5, 1));
        var x = randn([4, 3], dtype: float64);
        var weight = layer.parameters().First(p => p.dim() == 2);
        var exact = JacobianLogDet.Of(NetworkCall.Of(layer.Network).At(x, null).Jacobian());
        var slope = Gradient(exact.sum(), weight);
        layer.train();
        const int draws = 1000;
        var (values, slopes) = (new List<Tensor>(), new List<Tensor>());
        using var seed = Layers.PassState.Seed(5);
        for (var i = 0; i < draws; i++)
        {
            using var step = NewDisposeScope();
            var logDet = layer.Forward(x).LogDet;
            slopes.Add(step.MoveToOuter(Gradient(logDet.sum(), weight)));
            values.Add(step.MoveToOuter(logDet.detach()));
        }
        Within(stack(values), exact);
        Within(stack(slopes), slope);
    }

    private static void Within(Tensor draws, Tensor truth, double errors = 4.5)
    {
        var error = draws.std(0, unbiased: true, keepdim: false).div(Math.Sqrt(draws.shape[0]));
        error.max().item<double>().Should().BeGreaterThan(0);
        draws.mean([0L]).sub(truth).abs().div(error.clamp_min(1e-12)).max().item<double>().Should().BeLessThan(errors);
    }

    private static Tensor Gradient(Tensor loss, Tensor weight)
    {
        weight.grad = null;
        autograd.backward([loss], null, false, false, [weight]);
        var gradient = weight.grad!.clone();
        weight.grad = null;
        return gradient;
    }

    [Fact]
    public void An_estimate_carries_its_standard_error_and_one_probe_carries_none()
    {
        using var scope = NewDisposeScope();
        using var layer = Steep(new ResidualLogDet { ExactUpTo = 0 }, [6], () => new LipschitzMlp(6, 6, 8, 1));
        var x = randn([300, 6], dtype: float64);
        var exact = JacobianLogDet.Of(NetworkCall.Of(layer.Network).At(x, null).Jacobian());
        layer.EstimateLogDet(x, probes: 1, seed: 1).StandardError.Should().BeNull();
        var (value, error) = layer.EstimateLogDet(x, seed: 1);
        // eight probes: Student's t of 7 degrees of freedom is within ±2.36 in 95 %
        value.sub(exact).abs().div(error!).lt(2.36).to(float64).mean().item<double>().Should().BeInRange(0.88, 0.995);
        var (again, _) = layer.EstimateLogDet(x, seed: 1);
        again.sub(value).abs().max().item<double>().Should().Be(0);
        layer.EstimateLogDet(x, seed: 2).LogDet.sub(value).abs().max().item<double>().Should().BeGreaterThan(0);
        layer.Forward(x).Value.sub(layer.Forward(x).Value).abs().max().item<double>().Should().Be(0, "values do not depend on noise");
    }

    [Fact]
    public void A_flow_says_what_its_likelihood_is_and_how_far_off()
    {
        using var scope = NewDisposeScope();
        var x = randn([20, 6], dtype: float64);
        Conditioner Network() => new LipschitzMlp(6, 6, 8, 1);
        using var exact = new Flow([6], Steep(null, [6], Network));
        exact.Likelihood.Should().Be(Likelihood.Exact);
        using var roulette = new Flow([6], new Chain(Steep(new ResidualLogDet { ExactUpTo = 0 }, [6], Network),
            Steep(new ResidualLogDet { ExactUpTo = 0 }, [6], Network)));
        roulette.Likelihood.Should().Be(Likelihood.Estimate);
        var (_, error, off) = roulette.LogProbWithErrors(x, seed: 1);
        error!.shape.Should().Equal(20);
        error.min().item<double>().Should().BePositive();
        off.Should().BeNull();
        using var one = new Flow([6], Steep(new ResidualLogDet { ExactUpTo = 0, EvaluationProbes = 1 }, [6], Network));
        one.LogProbWithErrors(x, seed: 1).StandardError.Should().BeNull();
        var series = new ResidualLogDet { ExactUpTo = 0, Series = ResidualSeries.Truncated, EvaluationTerms = 5 };
        using var truncated = new Flow([6], Steep(series, [6], Network));
        truncated.Likelihood.IsEstimate.Should().BeTrue();
        var bound = 6 * Math.Pow(0.81, 6) / (6 * 0.19);
        truncated.Likelihood.MaxError.Should().BeApproximately(bound, 1e-9);
        truncated.LogProbWithErrors(x).NumericalError!.max().item<double>().Should().BeApproximately(bound, 1e-9);
    }

    [Fact]
    public void The_loss_is_the_estimate_of_the_log_determinant_and_not_the_value_of_the_surrogate()
    {
        using var scope = NewDisposeScope();
        Tensor? before = null;
        foreach (var neumann in new[] { false, true })
        {
            using var flow = new Flow([5], Steep(new ResidualLogDet { ExactUpTo = 0, NeumannGradient = neumann }, [5],
                () => new LipschitzMlp(5, 5, 8, 1)));
            flow.to(float64);
            flow.train();
            using var generator = new Generator(5);
            var loss = flow.NegativeLogLikelihood(randn([8, 5], dtype: float64, generator: generator), seed: 3).detach();
            if (before is not null) loss.sub(before).abs().item<double>().Should().BeLessThan(1e-12);
            before = loss;
        }
    }

    [Fact]
    public void A_truncated_series_is_off_by_its_bound_at_most()
    {
        using var scope = NewDisposeScope();
        foreach (var terms in new[] { 1, 3, 10 })
        {
            // with one feature, a probe of 1 or −1 has no variance
            using var layer = Steep(new ResidualLogDet { ExactUpTo = 0, Series = ResidualSeries.Truncated, EvaluationTerms = terms }, [1],
                () => new LipschitzMlp(1, 1, 8, 1, coefficient: 0.95));
            var x = randn([200, 1], dtype: float64).mul(3);
            var exact = JacobianLogDet.Of(NetworkCall.Of(layer.Network).At(x, null).Jacobian());
            var error = layer.Forward(x).LogDet.sub(exact).abs().max().item<double>();
            error.Should().BeInRange(1e-9, layer.Likelihood.MaxError);
        }
    }

    internal static ResidualLayer Steep(ResidualLogDet? logDet, EventShape shape, Func<Conditioner> make)
    {
        manual_seed(2);
        var layer = new ResidualLayer(shape, make(), logDet);
        using var _ = no_grad();
        RandomWeights.Draw(layer, 3, 1);
        layer.to(float64);
        layer.eval();
        return layer;
    }
}
