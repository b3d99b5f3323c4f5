using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Inference;

[LeavesNoTensors]
public class ReverseKlTests
{
    public static TheoryData<GradientEstimator> Estimators => [GradientEstimator.Path, GradientEstimator.Total];

    [Theory, MemberData(nameof(Estimators))]
    public void Value_and_gradient_are_those_of_two_normals(GradientEstimator estimator)
    {
        using var scope = NewDisposeScope();
        const double deviation = 1.5, logZ = 3.25;
        using var flow = Flows.Normal(deviation, features: 2);
        var loss = VariationalInference.ReverseKl(flow, x => Flows.LogNormal(x, 1, 1).add(logZ), 400_000, estimator: estimator, seed: 1);
        loss.backward();
        // KL = -log σ + (σ² + 1)/2 - 1/2 for each dimension, and dKL/ds = 1 - σ² for σ = exp(-s)
        var exact = (2 * (-Math.Log(deviation) + (deviation * deviation / 2))) - logZ;
        loss.item<double>().Should().BeApproximately(exact, 0.02);
        Flows.TakeGradients(flow).Should().AllSatisfy(g => g.Should().BeApproximately(1 - (deviation * deviation), 0.02));
        loss.shape.Should().BeEmpty();
    }

    [Theory]
    [InlineData(ScalarType.Float64, 0, 1e-12), InlineData(ScalarType.Float64, 3, 1e-12)]
    [InlineData(ScalarType.Float32, 0, 1e-5), InlineData(ScalarType.Float32, 3, 1e-5)]
    public void Where_q_is_p_the_path_gradient_is_0_for_every_sample_and_the_total_one_is_not(ScalarType dtype, long contextSize,
        double tolerance)
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(3, contextSize, dtype);
        using var target = Flows.Frozen(flow);
        var context = contextSize == 0 ? null : randn([4, contextSize], dtype: dtype, generator: new Generator(5));
        // the points of the first context come first
        Tensor LogDensity(Tensor x) => target.LogProb(x, context?.repeat_interleave(3, 0));

        var loss = VariationalInference.ReverseKl(flow, LogDensity, 3, context, seed: 2);
        loss.to(float64).item<double>().Should().BeApproximately(0, tolerance, "log q - log p is 0 everywhere");
        loss.backward();
        Flows.TakeGradients(flow).Should().AllSatisfy(g => g.Should().BeApproximately(0, tolerance));
        VariationalInference.ReverseKl(flow, LogDensity, 3, context, GradientEstimator.Total, seed: 2).backward();
        Flows.TakeGradients(flow).Max(Math.Abs).Should().BeGreaterThan(0.01);
    }

    [Fact]
    public void Both_gradients_have_the_same_mean_and_near_the_optimum_the_path_one_has_less_variance()
    {
        const int rounds = 100, samples = 500;
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(3);
        using var target = Flows.Frozen(flow);
        using (no_grad())
            foreach (var parameter in flow.parameters()) parameter.mul_(1.1);
        var (path, total) = (Moments(GradientEstimator.Path), Moments(GradientEstimator.Total));
        var compared = 0;
        for (var i = 0; i < path.Mean.Length; i++)
        {
            var error = Math.Sqrt((path.Variance[i] + total.Variance[i]) / rounds);
            Math.Abs(path.Mean[i] - total.Mean[i]).Should().BeLessThan((4.5 * error) + 1e-12, "of parameter {0}", i);
            if (Math.Abs(path.Mean[i]) > 5 * error) compared++;
        }
        compared.Should().BeGreaterThan(10, "these are gradients, not noise");
        path.Variance.Sum().Should().BeLessThan(total.Variance.Sum() / 10);

        (double[] Mean, double[] Variance) Moments(GradientEstimator estimator)
        {
            var gradients = Enumerable.Range(0, rounds).Select(round =>
            {
                using var inner = NewDisposeScope();
                VariationalInference.ReverseKl(flow, x => target.LogProb(x), samples, estimator: estimator, seed: round).backward();
                return Flows.TakeGradients(flow);
            }).ToArray();
            var mean = Enumerable.Range(0, gradients[0].Length).Select(i => gradients.Average(g => g[i])).ToArray();
            return (mean, [.. mean.Select((m, i) => gradients.Sum(g => (g[i] - m) * (g[i] - m)) / (rounds - 1))]);
        }
    }

    [Theory, MemberData(nameof(Estimators))]
    public void The_gradient_of_a_fixed_draw_is_that_of_its_formula(GradientEstimator estimator)
    {
        using var scope = NewDisposeScope();
        const double deviation = 1.5, mean = 0.4;
        using var flow = Flows.Normal(deviation);
        var z = flow.Sample(50, seed: 9).div(deviation);
        VariationalInference.ReverseKl(flow, x => Flows.LogNormal(x, mean, 1), 50, estimator: estimator, seed: 9).backward();
        // x = σz; log q = -z²/2 - log σ: along the path, ∂/∂x (log q - log p) = -x/σ² + (x - m), and dx/ds = -x
        var x = z.mul(deviation);
        var score = x.sub(mean).mul(x).neg();
        var exact = estimator == GradientEstimator.Path ? score.add(z.mul(z)) : score.add(1);
        Flows.TakeGradients(flow).Single().Should().BeApproximately(exact.mean().item<double>(), 1e-12);
    }

    [Theory, MemberData(nameof(Estimators))]
    public void Weights_of_the_density_and_the_context_get_gradients_and_other_gradients_stay(GradientEstimator estimator)
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(4, context: 3);
        var location = tensor(0.7, dtype: float64).requires_grad_(true);
        var context = randn([2, 3], dtype: float64, generator: new Generator(1)).requires_grad_(true);
        Tensor LogDensity(Tensor x) => x.sub(location).square().sum(1).mul(-0.5);
        var parameters = flow.parameters().ToArray();
        parameters[0].grad = ones_like(parameters[0]);
        VariationalInference.ReverseKl(flow, LogDensity, 8, context, estimator, seed: 1).backward();

        var (samples, _) = flow.SampleAndLogProb(8, context, seed: 1);
        // d/dm of ½ Σ (x - m)²
        location.grad!.item<double>().Should().BeApproximately(-samples.sub(location).sum(2).mean().item<double>(), 1e-12);
        context.grad!.abs().max().item<double>().Should().BeGreaterThan(1e-3);
        var first = parameters[0].grad!.sub(1);
        parameters[0].grad = null;
        Flows.TakeGradients(flow);
        VariationalInference.ReverseKl(flow, LogDensity, 8, context, estimator, seed: 1).backward();
        parameters[0].grad!.sub(first).abs().max().item<double>().Should().BeLessThan(1e-12, "gradients add up as always");
        Flows.TakeGradients(flow);
    }

    [Theory, MemberData(nameof(Estimators))]
    public void The_mode_and_the_running_statistics_stay_as_they_are(GradientEstimator estimator)
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(4, batchNorm: true);
        double Loss() =>
            VariationalInference.ReverseKl(flow, x => Flows.LogNormal(x, 0, 1), 16, estimator: estimator, seed: 1).item<double>();
        var expected = Loss();
        flow.train();
        var before = flow.buffers().Select(b => b.clone()).ToArray();
        Loss().Should().Be(expected);
        flow.training.Should().BeTrue();
        flow.buffers().Zip(before).Should().OnlyContain(pair => pair.First.Equals(pair.Second));
    }

    [Fact]
    public void Both_have_the_value_of_log_q_less_log_p_and_without_gradients_only_that()
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(4);
        Tensor LogDensity(Tensor x) => Flows.LogNormal(x, 0.5, 2);
        var (x, logProb) = flow.SampleAndLogProb(32, seed: 7);
        var expected = logProb.sub(LogDensity(x)).mean().item<double>();
        foreach (var estimator in Enum.GetValues<GradientEstimator>())
            VariationalInference.ReverseKl(flow, LogDensity, 32, estimator: estimator, seed: 7).item<double>().Should()
                .BeApproximately(expected, 1e-13);
        using var gradients = no_grad();
        var value = VariationalInference.ReverseKl(flow, LogDensity, 32, seed: 7);
        value.requires_grad.Should().BeFalse();
        value.item<double>().Should().BeApproximately(expected, 1e-13);
    }

    [Fact]
    public void The_same_seed_gives_the_same_loss_and_leaves_torchs_generator_alone()
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(4);
        double Loss(long? seed) => VariationalInference.ReverseKl(flow, x => Flows.LogNormal(x, 0, 1), 4, seed: seed).item<double>();
        manual_seed(11);
        var (first, unseeded) = (Loss(1), Loss(null));
        manual_seed(11);
        var again = Loss(null);
        again.Should().Be(unseeded);
        Loss(1).Should().Be(first);
        Loss(2).Should().NotBe(first);
    }

    [Fact]
    public void What_does_not_fit_is_refused_before_any_work()
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(4);
        using var conditional = Flows.Random(4, context: 2);
        using var images = new RealNvpModel(RealNvpOptions.Image([1, 4, 4], scales: 1, blocks: 1, hidden: 4));
        static Tensor Standard(Tensor x) => Flows.LogNormal(x, 0, 1);
        Calling(() => VariationalInference.ReverseKl(null!, Standard, 4)).Should().Throw<ArgumentNullException>();
        Calling(() => VariationalInference.ReverseKl(flow, null!, 4)).Should().Throw<ArgumentNullException>();
        Calling(() => VariationalInference.ReverseKl(flow, Standard, 0)).Should().Throw<ArgumentOutOfRangeException>();
        Calling(() => VariationalInference.ReverseKl(flow, Standard, 4, estimator: (GradientEstimator)7)).Should()
            .Throw<ArgumentOutOfRangeException>();
        Calling(() => VariationalInference.ReverseKl(flow, Standard, 4, zeros(2, 2, float64))).Should().Throw<ArgumentException>()
            .WithMessage("*takes no context*");
        Calling(() => VariationalInference.ReverseKl(conditional, Standard, 4)).Should().Throw<ArgumentException>()
            .WithMessage("*is conditional*");
        Calling(() => VariationalInference.ReverseKl(conditional, Standard, 4, zeros(0, 2, float64))).Should().Throw<ArgumentException>()
            .WithMessage("*at least one context*");
        Calling(() => VariationalInference.ReverseKl(images, Standard, 4)).Should().Throw<ArgumentException>()
            .WithMessage("*dequantizes*Levels = 0*");
    }

    [Fact]
    public void A_bad_log_density_is_named_with_its_sample()
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(4);
        using var wide = Flows.Random(4, features: 9);
        static Func<Tensor, Tensor> Holding(double value) => x => where(arange(x.shape[0]).eq(3), value, Flows.LogNormal(x, 0, 1));
        Calling(() => VariationalInference.ReverseKl(flow, x => Flows.LogNormal(x, 0, 1).unsqueeze(1), 5)).Should()
            .Throw<ArgumentException>().WithMessage("*to give shape (5,)*got (5, 1)*");
        Calling(() => VariationalInference.ReverseKl(flow, x => x.sum(), 5)).Should().Throw<ArgumentException>()
            .WithMessage("*to give shape (5,)*");
        Calling(() => VariationalInference.ReverseKl(flow, x => zeros(5, int64), 5)).Should().Throw<ArgumentException>()
            .WithMessage("*floating-point*Int64*");
        Calling(() => VariationalInference.ReverseKl(flow, x => Flows.LogNormal(x.detach(), 0, 1), 5)).Should().Throw<ArgumentException>()
            .WithMessage("*differentiable*detach*");
        using (no_grad())
            VariationalInference.ReverseKl(flow, x => Flows.LogNormal(x.detach(), 0, 1), 5).isfinite().item<bool>().Should()
                .BeTrue("a value needs no gradient");
        Calling(() => VariationalInference.ReverseKl(flow, x => null!, 5)).Should().Throw<ArgumentException>().WithMessage("*gave null*");
        Calling(() => VariationalInference.ReverseKl(flow, Holding(double.NaN), 5)).Should().Throw<ArgumentException>()
            .WithMessage("*is NaN for sample 3, x = *, *. Check the function there*");
        Calling(() => VariationalInference.ReverseKl(flow, Holding(double.PositiveInfinity), 5)).Should().Throw<ArgumentException>()
            .WithMessage("*is Infinity for sample 3*");
        Calling(() => VariationalInference.ReverseKl(flow, Holding(double.NegativeInfinity), 5)).Should().Throw<ArgumentException>()
            .WithMessage("*is -Infinity for sample 3*low but finite*");
        Calling(() => VariationalInference.ReverseKl(wide, Holding(double.NaN), 5)).Should().Throw<ArgumentException>()
            .WithMessage("*is NaN for sample 3. *");
    }

    [Fact]
    public void A_flow_that_has_diverged_is_told_from_a_bad_density()
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Normal(double.PositiveInfinity);
        Calling(() => VariationalInference.ReverseKl(flow, x => Flows.LogNormal(x, 0, 1), 5)).Should().Throw<InvalidOperationException>()
            .WithMessage("Sample 0 of the flow*not finite*");
    }

    [Fact]
    public void An_error_of_the_density_comes_through_and_leaves_no_tensors()
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(4);
        Calling(() => VariationalInference.ReverseKl(flow, x => throw new TimeoutException(), 5)).Should().Throw<TimeoutException>();
    }

    private static Action Calling(Func<Tensor> call) => () => call();
}
