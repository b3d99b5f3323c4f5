using RealNvp.Tests.Golden;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

public class ContinuousLayerTests
{
    [Fact, LeavesNoTensors]
    public void A_linear_flow_is_the_matrix_exponential()
    {
        // dx/dt = A x: z = exp(−A) x, log|det| = −tr A
        using var scope = NewDisposeScope();
        using var layer = new ContinuousLayer(new LinearDynamics(), [2], new() { Tolerance = 1e-10 });
        layer.to(float64);
        layer.eval();
        using var _ = no_grad();
        var x = randn(5, 2, dtype: float64);
        var (z, logDet) = layer.Forward(x);
        z.sub(x.mm(linalg.matrix_exp(LinearDynamics.Matrix.neg()).t())).abs().max().item<double>().Should().BeLessThan(1e-8);
        logDet.add(LinearDynamics.Matrix.diagonal().sum()).abs().max().item<double>().Should().BeLessThan(1e-8);
        var (back, backLogDet) = layer.Inverse(z);
        back.sub(x).abs().max().item<double>().Should().BeLessThan(1e-8);
        backLogDet.add(logDet).abs().max().item<double>().Should().BeLessThan(1e-8);
    }

    [Theory, LeavesNoTensors]
    [InlineData(DivergenceKind.Hutchinson, HutchinsonProbe.Rademacher), InlineData(DivergenceKind.Hutchinson, HutchinsonProbe.Gaussian)]
    [InlineData(DivergenceKind.HutchPlusPlus, HutchinsonProbe.Rademacher), InlineData(DivergenceKind.HutchPlusPlus,
        HutchinsonProbe.Gaussian)]
    public void Estimates_are_within_4_standard_errors_of_the_truth_over_1000_draws(DivergenceKind kind, HutchinsonProbe probe)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var exact = Layer(5, new() { Tolerance = 1e-6 });
        using var estimate = Layer(5, new() { Tolerance = 1e-6, Divergence = kind, Probe = probe, EvaluationProbes = 2 });
        (estimate.IsStochastic, exact.IsStochastic).Should().Be((true, false));
        var x = randn([1, 5], dtype: float64, generator: new Generator(3)).expand(1000, 5);
        var truth = exact.Forward(x.narrow(0, 0, 1)).LogDet.item<double>();
        using var seed = RealNvp.Layers.PassState.Seed(7);
        var (z, draws) = estimate.Forward(x);
        z.sub(z.narrow(0, 0, 1)).abs().max().item<double>().Should().BeLessThan(1e-4, "values are not random");
        var error = draws.std().item<double>() / Math.Sqrt(1000);
        error.Should().BePositive();
        Math.Abs(draws.mean().item<double>() - truth).Should().BeLessThan(4 * error);
    }

    [Fact, LeavesNoTensors]
    public void The_standard_error_of_an_estimate_is_the_spread_of_its_probes()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([5], Layer(5, new() { Divergence = DivergenceKind.Hutchinson, EvaluationProbes = 16 }));
        flow.to(float64);
        var x = randn([1, 5], dtype: float64, generator: new Generator(3)).expand(200, 5);
        var (logProb, error, _) = flow.LogProbWithErrors(x, seed: 1);
        var spread = logProb.std().item<double>();
        error!.mean().item<double>().Should().BeInRange(0.7 * spread, 1.3 * spread);
        flow.Likelihood.Kind.Should().Be(LikelihoodKind.Estimate);
    }

    [Fact, LeavesNoTensors]
    public void Ways_of_the_gradient_agree_in_a_flow()
    {
        using var scope = NewDisposeScope();
        var x = randn([6, 3], dtype: float64, generator: new Generator(3));
        Tensor[] Gradients(OdeGradient way)
        {
            using var layer = Layer(3, new() { Gradient = way, Tolerance = 1e-10 });
            var (z, logDet) = layer.Forward(x);
            z.pow(2).sum().sub(logDet.sum()).backward();
            return [.. layer.parameters().Select(p => p.grad!.clone())];
        }
        var all = new[] { OdeGradient.Graph, OdeGradient.Checkpointed, OdeGradient.Reversible, OdeGradient.Adjoint }.Select(Gradients)
            .ToArray();
        foreach (var other in all.Skip(1))
            for (var i = 0; i < other.Length; i++) other[i].sub(all[0][i]).abs().max().item<double>().Should().BeLessThan(1e-6);
    }

    [Fact, LeavesNoTensors]
    public void The_error_of_log_p_that_is_reported_covers_the_true_one()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(5);
        var x = randn([200, 3], dtype: float64, generator: generator);
        Tensor LogProb(double tolerance, out Tensor? error)
        {
            using var flow = new Flow([3], Layer(3, new() { Tolerance = tolerance }));
            flow.to(float64);
            (var logProb, _, error) = flow.LogProbWithErrors(x);
            flow.LogProb(x).sub(logProb).abs().max().item<double>().Should().Be(0);
            return logProb;
        }
        var truth = LogProb(1e-12, out _);
        foreach (var tolerance in new[] { 1e-3, 1e-5, 1e-7 })
        {
            var off = LogProb(tolerance, out var error).sub(truth).abs();
            off.le(error!).to(float64).mean().item<double>().Should().BeGreaterThanOrEqualTo(0.95);
            error!.median().item<double>().Should().BeLessThan(100 * tolerance, "an error that is always large covers everything");
        }
    }

    // with weights that data have made, and the points of a test set
    [SlowFact]
    public void After_training_the_error_of_log_p_that_is_reported_covers_the_true_one_for_95_percent_of_a_test_set()
    {
        using var scope = NewDisposeScope();
        using var seed = new Generator(1);
        Tensor Moons(long count)
        {
            var angle = rand(count, generator: seed).mul(Math.PI);
            var upper = rand(count, generator: seed).lt(0.5).to(float32);
            var side = upper.mul(2).sub(1);
            return stack([angle.cos().add(upper.sub(0.5)), angle.sin().mul(side).add(upper.mul(-0.5)).add(0.25)], 1)
                .add(randn([count, 2], generator: seed).mul(0.1)).mul(1.5);
        }
        foreach (var (options, objective) in new[]
        {
            (FfjordOptions.Toy2D with { Hidden = 32, HiddenLayers = 2 }, Objective.MaximumLikelihood),
            (FfjordOptions.Matching2D with { Hidden = 64 }, Objective.FlowMatching()),
        })
        {
            using var model = new FfjordModel(options, 0);
            using var trainer = new Trainer(model, objective, new TrainingOptions { MaxSteps = objective == Objective.MaximumLikelihood
                ? 120 : 600, Epochs = 1000, BatchSize = 256, LearningRate = 5e-3, ValidationFraction = 0 });
            trainer.Fit(TrainingData.From(Moons(8_000)));
            var test = Moons(400).to(float64);
            Tensor LogProb(double tolerance, out Tensor? error)
            {
                using var solved = new FfjordModel(options with { Tolerance = tolerance });
                solved.load_state_dict(new Dictionary<string, Tensor>(model.state_dict()));
                solved.to(float64);
                (var logProb, _, error) = solved.LogProbWithErrors(test);
                return logProb;
            }
            var truth = LogProb(1e-12, out _);
            truth.std().item<double>().Should().BeGreaterThan(0.5, "the flow has learned a shape");
            foreach (var tolerance in new[] { 1e-3, 1e-4, 1e-5, 1e-6, 1e-8 })
            {
                var off = LogProb(tolerance, out var error).sub(truth).abs();
                off.le(error!).to(float64).mean().item<double>().Should().BeGreaterThanOrEqualTo(0.95, "tolerance {0}", tolerance);
                error!.median().item<double>().Should().BeLessThan(1000 * tolerance, "an error that is always large covers everything");
            }
        }
    }

    [Fact]
    public void Up_to_64_elements_the_divergence_is_exact_and_beyond_it_is_an_estimate_unless_it_is_cheap()
    {
        foreach (var (size, layers, exact) in new[] { (64L, 3, true), (65L, 3, false), (65L, 1, true) })
        {
            using var layer = new ContinuousLayer(new ConcatSquashMlp(size, 4, layers), [size]);
            (layer.Divergence == DivergenceKind.Exact, layer.IsStochastic).Should().Be((exact, !exact));
            layer.Likelihood.Kind.Should().Be(exact ? LikelihoodKind.Numerical : LikelihoodKind.Estimate);
        }
        (new ContinuousOptions().MaxSteps, new OdeOptions().MaxSteps).Should().Be((10_000, 10_000));
    }

    [Fact, LeavesNoTensors]
    public void Costs_of_paths_are_trained_by_an_objective()
    {
        using var scope = NewDisposeScope();
        using var layer = Layer(2, new() { Tolerance = 1e-6 });
        var x = randn(8, 2, dtype: float64);
        var (_, logDet, kinetic, frobenius) = layer.ForwardWithCost(x);
        (kinetic.min().item<double>(), frobenius.min().item<double>()).Should().Match<(double, double)>(p => p.Item1 > 0 && p.Item2 > 0);
        logDet.sub(layer.Forward(x).LogDet).abs().max().item<double>().Should().BeLessThan(1e-4);
        kinetic.sum().add(frobenius.sum()).backward();
        layer.parameters().Any(p => p.grad is not null && p.grad.abs().max().item<double>() > 0).Should().BeTrue();
        var act = () => Objective.RegularizedLikelihood(-1);
        act.Should().Throw<ArgumentOutOfRangeException>();
    }

    [SlowTheory, InlineData(false), InlineData(true)]
    public void The_laws_hold_for_more_features_more_layers_and_equal_steps(bool equalSteps)
    {
        var options = equalSteps ? new ContinuousOptions { Method = OdeMethod.Rk4, Steps = 200 } : new() { Tolerance = 1e-11 };
        RealNvp.Checking.FlowCheck.Verify(() => new ContinuousLayer(new ConcatSquashMlp(3, 4, 2, contextSize: 2), [3], options), [3],
            new() { Float64Tolerance = 1e-9 }).ThrowIfFailed();
    }

    [Fact, LeavesNoTensors]
    public void A_network_of_the_users_is_dynamics()
    {
        using var scope = NewDisposeScope();
        using var layer = new ContinuousLayer(Dynamics.From(new OwnNetwork()), [3], new() { Tolerance = 1e-9 });
        layer.to(float64);
        var x = randn(4, 3, dtype: float64);
        var (z, logDet) = layer.Forward(x);
        logDet.sum().add(z.sum()).backward();
        layer.parameters().Should().OnlyContain(p => p.grad!.isfinite().all().item<bool>());
        layer.Inverse(z.detach()).Value.sub(x).abs().max().item<double>().Should().BeLessThan(1e-6);
    }

    [Fact]
    public void Exploding_dynamics_end_in_the_named_error()
    {
        using var scope = NewDisposeScope();
        using var layer = new ContinuousLayer(new Exploding(), [2]);
        var act = () => layer.Inverse(full(1, 2, 5.0f));
        act.Should().Throw<OdeException>().Which.Example.Should().Be(0);
    }

    [Fact]
    public void Wrong_dynamics_and_options_are_refused()
    {
        using var scope = NewDisposeScope();
        Refused(() => new ContinuousLayer(new ConcatSquashMlp(3, 4, 1), [2]), "shape");
        Refused(() => new ContinuousLayer(new ConcatSquashMlp(3, 4, 1), [-1]), "sizes known");
        Refused(() => new ContinuousLayer(new ConcatSquashMlp(2, 4, 1), [2], new() { Tolerance = 0 }), "Tolerance");
        Refused(() => new ContinuousLayer(new ConcatSquashMlp(2, 4, 1), [2], new() { Probes = 0 }), "probes");
        Refused(() => new ContinuousLayer(new ConcatSquashMlp(2, 4, 1), [2], new() { MaxSteps = 0 }), "MaxSteps");
        Refused(() => new ContinuousLayer(new ConcatSquashMlp(2, 4, 1), [2], new() { Divergence = (DivergenceKind)9 }), "Divergence");
    }

    internal static ContinuousLayer Layer(long size, ContinuousOptions options)
    {
        var layer = new ContinuousLayer(new ConcatSquashMlp(size, 8, 1), [size], options);
        layer.to(float64);
        using var _ = no_grad();
        using var generator = new Generator(11);
        foreach (var parameter in layer.parameters())
        {
            using var noise = randn(parameter.shape, dtype: float64, generator: generator).mul_(0.5);
            parameter.copy_(noise);
        }
        layer.eval();
        return layer;
    }

    private static void Refused(Func<object> action, string word) =>
        action.Should().Throw<ArgumentException>().Which.Message.Should().Contain(word);

    private sealed class LinearDynamics() : Dynamics(nameof(LinearDynamics), [2])
    {
        public static Tensor Matrix => tensor([0.3, -1, 0.7, -0.5], [2, 2], float64);

        public override Tensor Velocity(Tensor t, Tensor x, Tensor? context = null)
        {
            using var matrix = Matrix;
            using var turned = matrix.t();
            using var same = turned.to(x.dtype);
            return x.mm(same);
        }
    }

    private sealed class Exploding() : Dynamics(nameof(Exploding), [2])
    {
        public override Tensor Velocity(Tensor t, Tensor x, Tensor? context = null) => x.pow(3);
    }

    private sealed class OwnNetwork : nn.Module<Tensor, Tensor, Tensor>
    {
        private readonly Linear first = nn.Linear(4, 8), second = nn.Linear(8, 3);

        public OwnNetwork() : base(nameof(OwnNetwork)) => RegisterComponents();

        public override Tensor forward(Tensor t, Tensor x)
        {
            using var scope = NewDisposeScope();
            return scope.MoveToOuter(second.call(first.call(cat([x, t.unsqueeze(1)], 1)).tanh()));
        }
    }
}
