using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

/// <summary>Residual layers: bounds, estimates and inverses, which the laws over all layers cannot say.</summary>
[LeavesNoTensors]
public class ResidualLayerTests
{
    private static readonly Dictionary<string, (EventShape Shape, Func<Conditioner> Make)> networks = new()
    {
        ["LipSwish"] = ([3], () => new LipschitzMlp(3, 3, 16, 2)),
        ["ELU"] = ([3], () => new LipschitzMlp(3, 3, 16, 2, ActivationKind.Elu, 0.97)),
        ["CLipSwish"] = ([3], () => new LipschitzMlp(3, 3, 8, 2, ActivationKind.CLipSwish, 0.97)),
        ["norm 1"] = ([3], () => new LipschitzMlp(3, 3, 8, 1, norm: 1)),
        ["norm infinity"] = ([3], () => new LipschitzMlp(3, 3, 8, 1, norm: double.PositiveInfinity)),
        ["convolutions"] = ([2, 4, 3], () => new LipschitzConvNet([2, 4, 3], 2, 5)),
        ["1×1 convolutions"] = ([2, 3, 3], () => new LipschitzConvNet([2, 3, 3], 2, 4, [1, 1])),
        ["5×5 convolution"] = ([1, 4, 4], () => new LipschitzConvNet([1, 4, 4], 1, 3, [5])),
    };

    public static TheoryData<string> Networks => [.. networks.Keys];

    [Theory, MemberData(nameof(Networks))]
    public void No_two_inputs_are_taken_further_apart_than_the_bound_says_as_gradient_ascent_finds_also_after_training(string name)
    {
        using var scope = NewDisposeScope();
        var (shape, make) = networks[name];
        manual_seed(3);
        using var flow = new Flow(shape, new Chain(new ResidualLayer(shape, make(), new ResidualLogDet { ExactUpTo = 64 })));
        RandomWeights.Draw(flow, 4, spread: 1);
        var layer = flow.Bijection.modules().OfType<ResidualLayer>().Single();
        var x = randn(shape.WithBatch(16)).mul(2);
        Measure(layer).Should().BeLessThan(Most(layer));
        var optimizer = optim.SGD(flow.parameters(), 0.1);
        flow.train();
        for (var step = 0; step < 6; step++)
        {
            optimizer.zero_grad();
            flow.NegativeLogLikelihood(x).backward();
            optimizer.step();
        }
        // as training sees it, and as evaluation does
        Measure(layer).Should().BeLessThan(Most(layer));
        flow.eval();
        Measure(layer).Should().BeLessThan(Most(layer));
        optimizer.Dispose();

        static double Most(ResidualLayer layer) => Math.Min(1, layer.LipschitzBound * Math.Pow(1 + LipschitzLayer.Tolerance, 3));
    }

    // the largest |Jv| over |v| in the norm of the network, and so of any two inputs near each other, by gradient ascent on both
    private static double Measure(ResidualLayer layer)
    {
        var p = layer.Network.modules().OfType<LipschitzLayer>().First().Domain;
        using var scope = NewDisposeScope();
        var shape = layer.InputShape!.Value;
        using var generator = new Generator(8);
        var x = randn(shape.WithBatch(32), generator: generator).mul(2);
        var v = randn(shape.WithBatch(32), generator: generator);
        var call = NetworkCall.Of(layer.Network);
        var largest = 0.0;
        for (var i = 0; i < 25; i++)
        {
            var (a, b) = (x.detach().requires_grad_(true), v.detach().requires_grad_(true));
            var step = b.div(Length(b, p)).mul(1e-2);
            var ratio = Length(call.Run(a.add(step), null).sub(call.Run(a, null)), p).flatten().mul(100);
            largest = Math.Max(largest, ratio.max().item<float>());
            autograd.backward([ratio.sum()], null, false, false, [a, b]);
            x = a.detach().add(a.grad!.div(Length(a.grad!, 2).clamp_min(1e-20)).mul(0.3));
            v = b.detach().div(Length(b.detach(), 2)).add(b.grad!.div(Length(b.grad!, 2).clamp_min(1e-20)).mul(0.3));
        }
        // digits of a difference of float32
        return largest * (1 - 1e-4);
    }

    private static Tensor Length(Tensor rows, double p)
    {
        var flat = rows.flatten(1);
        var length = p == 1 ? flat.abs().sum(1) : p == 2 ? flat.pow(2).sum(1).sqrt() : flat.abs().amax(1);
        return length.reshape([rows.shape[0], .. rows.shape.Skip(1).Select(_ => 1L)]);
    }

    [Theory]
    [InlineData(true), InlineData(false)]
    public void The_weight_that_is_used_has_the_coefficient_as_its_largest_singular_value_on_images_of_the_real_size(bool training)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var size in new[] { 1L, 3, 5 })
        {
            using var layer = new LipschitzConv2d(2, 3, size, 4, 5, 0.8);
            layer.Weight.mul_(20);
            layer.train(training);
            var weight = layer.Normalized();
            var dense = layer.Times(eye(40).reshape(40, 2, 4, 5), weight).flatten(1);
            var largest = linalg.svdvals(dense).max().item<float>();
            largest.Should().BeApproximately(0.8f, training ? 1e-3f : 1e-5f);
        }
    }

    [Fact]
    public void A_weight_below_the_coefficient_stays_as_it_is_and_one_of_zeros_does_no_harm()
    {
        using var scope = NewDisposeScope();
        using var small = new LipschitzLinear(3, 4);
        using (no_grad()) small.Weight.mul_(0.01);
        foreach (var training in new[] { true, false })
        {
            small.train(training);
            small.Normalized().sub(small.Weight).abs().max().item<float>().Should().Be(0);
            using var zero = new LipschitzLinear(3, 4, zero: true);
            zero.train(training);
            zero.Normalized().isfinite().all().item<bool>().Should().BeTrue();
            zero.call(ones(2, 3)).abs().max().item<float>().Should().Be(0);
        }
    }

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

    [Theory]
    [InlineData(ScalarType.Float32, 1e-6), InlineData(ScalarType.Float64, 1e-12)]
    public void The_inverse_has_a_true_residual_for_each_example_alone_or_among_others(ScalarType dtype, double most)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var layer = Steep(null, [3], () => new LipschitzMlp(3, 3, 32, 2, coefficient: 0.99));
        layer.to(dtype);
        var y = cat([randn([40, 3], dtype: dtype), randn([5, 3], dtype: dtype).mul(1e-3), randn([5, 3], dtype: dtype).mul(30),
            zeros([1, 3], dtype: dtype)]);
        var x = layer.Inverse(y).Value;
        var residual = x.add(NetworkCall.Of(layer.Network).Run(x, null)).sub(y).abs().amax(1);
        var allowed = FixedPoint.Tolerance(y.abs().maximum(x.abs()).amax(1));
        residual.le(allowed).all().item<bool>().Should().BeTrue();
        residual.narrow(0, 0, 45).max().to(float64).item<double>().Should().BeLessThan(4 * most);
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

    private static ResidualLayer Steep(ResidualLogDet? logDet, EventShape shape, Func<Conditioner> make)
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
