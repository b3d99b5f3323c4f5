using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Inference;

[LeavesNoTensors]
public class ImportanceSamplingTests
{
    [Fact]
    public void A_normal_under_a_wider_one_has_the_evidence_the_effective_size_and_the_bound_of_the_formulas()
    {
        using var flow = Flows.Normal(1, features: 2);
        const double deviation = 0.7, logZ = -4.5;
        var estimate = ImportanceSampling.Estimate(flow, x => Flows.LogNormal(x, 0, deviation).add(logZ), 200_000, seed: 1);
        // ∫ p²/q = 1/(s √(2 - s²)), and KL(q‖p) = log s + 1/(2 s²) - 1/2, for each dimension
        var share = Math.Pow(deviation * Math.Sqrt(2 - (deviation * deviation)), 2);
        var divergence = 2 * (Math.Log(deviation) + (0.5 / (deviation * deviation)) - 0.5);
        estimate.Count.Should().Be(200_000);
        estimate.EffectiveShare.Should().BeApproximately(share, 0.005);
        estimate.EffectiveSampleSize.Should().BeApproximately(200_000 * estimate.EffectiveShare, 1e-6);
        estimate.StandardError.Should().BeApproximately(Math.Sqrt(((1 / share) - 1) / 200_000), 1e-5);
        estimate.LogZ.Should().BeApproximately(logZ, 4 * estimate.StandardError);
        estimate.LowerBound.Should().BeApproximately(logZ - divergence, 0.02);
        // the largest weight is that of a sample next to 0: 1/s² over N
        estimate.LargestShare.Should().BeApproximately(1 / (deviation * deviation) / 200_000, 1e-7);
    }

    [Theory, InlineData(ScalarType.Float64, 1e-9), InlineData(ScalarType.Float32, 1e-3)]
    public void A_flow_that_is_the_density_has_equal_weights_and_no_error(ScalarType dtype, double tolerance)
    {
        using var flow = Flows.Random(3, dtype: dtype);
        var estimate = ImportanceSampling.Estimate(flow, x => flow.LogProb(x), 1000, batchSize: 300, seed: 1);
        estimate.LogZ.Should().BeApproximately(0, tolerance);
        estimate.EffectiveSampleSize.Should().BeApproximately(1000, tolerance).And.BeLessThanOrEqualTo(1000);
        estimate.LargestShare.Should().BeApproximately(0.001, tolerance);
        estimate.StandardError.Should().BeInRange(0, 1e-5);
        estimate.LowerBound.Should().BeApproximately(0, tolerance);
    }

    [Fact]
    public void Two_modes_with_a_hole_have_the_mass_that_is_left()
    {
        using var flow = Flows.Normal(3);
        // 0.3 N(-2, ½²) + 0.7 N(2, ½²) without [1.8, 2.2], which holds erf(0.4/√2) of the right one
        static Tensor LogDensity(Tensor x)
        {
            var both = logaddexp(Flows.LogNormal(x, -2, 0.5).add(Math.Log(0.3)), Flows.LogNormal(x, 2, 0.5).add(Math.Log(0.7)));
            return where(x.squeeze(1).sub(2).abs().lt(0.2), double.NegativeInfinity, both);
        }
        const double hole = 0.310843483220648;
        var estimate = ImportanceSampling.Estimate(flow, LogDensity, 100_000, seed: 1);
        estimate.LogZ.Should().BeApproximately(Math.Log(1 - (0.7 * hole)), 4 * estimate.StandardError);
        estimate.StandardError.Should().BeInRange(0.001, 0.01);
        estimate.LowerBound.Should().Be(double.NegativeInfinity);
    }

    [Fact]
    public void The_evidence_is_unbiased_and_its_standard_error_is_the_spread_of_repeated_estimates()
    {
        const int rounds = 400;
        using var flow = Flows.Normal(1);
        var estimates = Enumerable.Range(0, rounds).Select(round => ImportanceSampling.Estimate(flow,
            x => Flows.LogNormal(x, 0.3, 0.9).add(2), 100, batchSize: 64, seed: round)).ToArray();
        var evidence = estimates.Select(e => Math.Exp(e.LogZ - 2)).ToArray();
        var error = Deviation(evidence) / Math.Sqrt(rounds);
        evidence.Average().Should().BeApproximately(1, 4 * error);
        error.Should().BeLessThan(0.003);
        var spread = Deviation([.. estimates.Select(e => e.LogZ)]);
        estimates.Average(e => e.StandardError).Should().BeApproximately(spread, 0.12 * spread);

        static double Deviation(double[] values) => Math.Sqrt(values.Sum(v => Math.Pow(v - values.Average(), 2)) / (values.Length - 1));
    }

    [Theory, InlineData(1e6), InlineData(-1e6)]
    public void A_huge_or_tiny_density_only_moves_the_evidence(double offset)
    {
        using var flow = Flows.Normal(1);
        static Tensor LogDensity(Tensor x) => Flows.LogNormal(x, 0, 0.8);
        var expected = ImportanceSampling.Estimate(flow, LogDensity, 500, batchSize: 100, seed: 3);
        var moved = ImportanceSampling.Estimate(flow, x => LogDensity(x).add(offset), 500, batchSize: 100, seed: 3);
        moved.LogZ.Should().BeApproximately(expected.LogZ + offset, 1e-8);
        moved.EffectiveSampleSize.Should().BeApproximately(expected.EffectiveSampleSize, 1e-6);
        moved.StandardError.Should().BeApproximately(expected.StandardError, 1e-9);
    }

    [Fact]
    public void Weights_that_are_all_0_say_so()
    {
        using var flow = Flows.Normal(1);
        var estimate = ImportanceSampling.Estimate(flow, x => full(x.shape[0], double.NegativeInfinity, float64), 10);
        estimate.Should().Be(new ImportanceEstimate
        {
            Count = 10, LogZ = double.NegativeInfinity, StandardError = double.NaN, EffectiveSampleSize = 0, LargestShare = double.NaN,
            LowerBound = double.NegativeInfinity,
        });
        estimate.EffectiveShare.Should().Be(0);
    }

    [Fact]
    public void One_sample_has_no_standard_error()
    {
        using var flow = Flows.Normal(1);
        var estimate = ImportanceSampling.Estimate(flow, x => Flows.LogNormal(x, 0, 2), 1);
        estimate.StandardError.Should().Be(double.NaN);
        (estimate.EffectiveSampleSize, estimate.LargestShare, estimate.LowerBound).Should().Be((1.0, 1.0, estimate.LogZ));
    }

    [Fact]
    public void Batches_are_what_was_asked_for_without_gradients_and_the_seed_repeats_them()
    {
        using var flow = Flows.Random(3);
        var sizes = new List<long>();
        var seen = new List<double>();
        ImportanceEstimate Estimate(long? seed) => ImportanceSampling.Estimate(flow, x =>
        {
            sizes.Add(x.shape[0]);
            seen.Add(x.sum().item<double>());
            x.requires_grad.Should().BeFalse();
            return Flows.LogNormal(x, 0, 1);
        }, 10, batchSize: 4, seed: seed);
        var first = Estimate(5);
        sizes.Should().Equal(4, 4, 2);
        seen.Should().OnlyHaveUniqueItems("each batch is another draw");
        Estimate(5).Should().Be(first);
        Estimate(6).Should().NotBe(first);
        manual_seed(1);
        var unseeded = Estimate(null);
        manual_seed(1);
        Estimate(null).Should().Be(unseeded);
    }

    [Fact]
    public void A_conditional_flow_takes_one_context()
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(3, context: 2);
        var context = randn(1, 2, float64);
        var estimate = ImportanceSampling.Estimate(flow, x => flow.LogProb(x, context.expand(x.shape[0], -1)), 100, context, batchSize: 30);
        estimate.LogZ.Should().BeApproximately(0, 1e-9);
        FluentActions.Invoking(() => ImportanceSampling.Estimate(flow, x => x, 10)).Should().Throw<ArgumentNullException>();
        FluentActions.Invoking(() => ImportanceSampling.Estimate(flow, x => x, 10, zeros(2, 2, float64))).Should()
            .Throw<ArgumentException>().WithMessage("*one context, of shape (1, 2); got (2, 2)*");
    }

    [Fact]
    public void What_does_not_fit_is_refused_with_the_number_of_the_sample()
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(4);
        using var images = new RealNvpModel(RealNvpOptions.Image([1, 4, 4], scales: 1, blocks: 1, hidden: 4));
        static Tensor Standard(Tensor x) => Flows.LogNormal(x, 0, 1);
        // the third batch holds samples 8 to 11
        static Func<Tensor, Tensor> Holding(double value)
        {
            var batch = 0;
            return x => batch++ == 2 ? where(arange(x.shape[0]).eq(1), value, Standard(x)) : Standard(x);
        }
        FluentActions.Invoking(() => ImportanceSampling.Estimate(null!, Standard, 4)).Should().Throw<ArgumentNullException>();
        FluentActions.Invoking(() => ImportanceSampling.Estimate(flow, null!, 4)).Should().Throw<ArgumentNullException>();
        FluentActions.Invoking(() => ImportanceSampling.Estimate(flow, Standard, 0)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => ImportanceSampling.Estimate(flow, Standard, 4, batchSize: 0)).Should()
            .Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => ImportanceSampling.Estimate(images, Standard, 4)).Should().Throw<ArgumentException>()
            .WithMessage("*dequantizes*");
        FluentActions.Invoking(() => ImportanceSampling.Estimate(flow, Holding(double.NaN), 20, batchSize: 4)).Should()
            .Throw<ArgumentException>().WithMessage("*is NaN for sample 9, x = *");
        FluentActions.Invoking(() => ImportanceSampling.Estimate(flow, Holding(double.PositiveInfinity), 20, batchSize: 4)).Should()
            .Throw<ArgumentException>().WithMessage("*is Infinity for sample 9, x = *");
        ImportanceSampling.Estimate(flow, Holding(double.NegativeInfinity), 20, batchSize: 4).LogZ.Should()
            .BeGreaterThan(double.NegativeInfinity);
    }

    [Fact]
    public void Resampling_takes_each_sample_as_often_as_its_weight_says()
    {
        using var scope = NewDisposeScope();
        var samples = arange(5, float64).unsqueeze(1);
        double[] weights = [0, 0.1, 0.25, 0.65, 0];
        var logWeights = tensor(weights).log().add(700);
        for (var seed = 0; seed < 50; seed++)
        {
            var drawn = ImportanceSampling.Resample(samples, logWeights, 30, seed);
            drawn.shape.Should().Equal(30, 1);
            var counts = Enumerable.Range(0, 5).Select(i => drawn.eq(i).sum().item<long>()).ToArray();
            for (var i = 0; i < 5; i++)
                ((double)counts[i]).Should().BeInRange(Math.Floor((30 * weights[i]) - 1e-9), Math.Ceiling((30 * weights[i]) - 1e-9));
        }
        ImportanceSampling.Resample(samples, logWeights, 7, seed: 3).Equals(ImportanceSampling.Resample(samples, logWeights, 7, seed: 3))
            .Should().BeTrue();
        ImportanceSampling.Resample(samples, logWeights, 0).shape.Should().Equal(0, 1);
    }

    [Fact]
    public void Resampled_draws_of_a_wide_flow_are_draws_of_the_density()
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Normal(2);
        var (x, logProb) = flow.SampleAndLogProb(50_000, seed: 1);
        var drawn = ImportanceSampling.Resample(x, Flows.LogNormal(x, 0.5, 1).sub(logProb), 20_000, seed: 2);
        drawn.mean().item<double>().Should().BeApproximately(0.5, 0.03);
        drawn.std().item<double>().Should().BeApproximately(1, 0.03);
    }

    [Fact]
    public void Weights_that_cannot_be_resampled_are_refused()
    {
        using var scope = NewDisposeScope();
        var samples = zeros(3, 2);
        FluentActions.Invoking(() => ImportanceSampling.Resample(samples, zeros(2), 1)).Should().Throw<ArgumentException>()
            .WithMessage("*of shape (3,)*got (2,)*");
        FluentActions.Invoking(() => ImportanceSampling.Resample(samples, zeros(3, 1), 1)).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => ImportanceSampling.Resample(zeros(0, 2), zeros(0), 1)).Should().Throw<ArgumentException>()
            .WithMessage("*at least one*");
        FluentActions.Invoking(() => ImportanceSampling.Resample(samples, zeros(3), -1)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => ImportanceSampling.Resample(samples, tensor([0, double.NaN, 0]), 1)).Should()
            .Throw<ArgumentException>().WithMessage("*sample 1 is NaN*");
        FluentActions.Invoking(() => ImportanceSampling.Resample(samples, full(3, double.NegativeInfinity), 1)).Should()
            .Throw<ArgumentException>().WithMessage("*all weights are 0*");
    }
}
