using RealNvp.Checking;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

public class VariationalDequantizationTests
{
    [Theory, InlineData(new long[] { 3 }), InlineData(new long[] { 2, 2, 3 })]
    public void The_term_of_the_noise_is_unbiased_and_the_inverse_gives_the_opposite(long[] size)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var shape = EventShape.Create(size);
        using var layer = Make(shape, 5);
        layer.to(float64);
        // under a uniform density each example has the probability 5^-D, and E_q[p/q] is just that, whatever q is
        const int count = 60_000;
        var k = randint(5, shape.WithBatch(1), dtype: float64);
        var (z, logDet) = layer.Forward(k.expand(shape.WithBatch(count)));
        z.mul(5).floor().sub(k).abs().max().item<double>().Should().Be(0);
        var ratio = logDet.add(shape.NumElements * Math.Log(5)).exp();
        var deviation = ratio.std(unbiased: true).item<double>() / Math.Sqrt(count);
        deviation.Should().BeInRange(1e-4, 0.02, "q is not uniform, and not far from it");
        ratio.mean().item<double>().Should().BeApproximately(1, 5 * deviation);
        // Jensen: the mean of the logarithms is below
        logDet.mean().item<double>().Should().BeLessThan(-shape.NumElements * Math.Log(5));

        var (back, inverse) = layer.Inverse(z);
        back.sub(k).abs().max().item<double>().Should().Be(0);
        inverse.add(logDet).abs().max().item<double>().Should().BeLessThan(1e-7);
    }

    [Theory, InlineData(new long[] { 3 }), InlineData(new long[] { 1, 3, 2 })]
    public void The_noise_flow_passes_FlowCheck(long[] size)
    {
        var shape = EventShape.Create(size);
        EventShape joint = EventShape.Create([2 * shape[0], .. shape.Skip(1)]);
        FlowCheck.Verify(() => ((Chain)Make(shape, 4).children().Single()), joint, new()).ThrowIfFailed();
    }

    [Fact]
    public void It_learns_a_tighter_bound_than_uniform_noise()
    {
        // a density with a peak within the cells of 0 and 1: uniform noise wastes most of its draws
        static double Trained(bool variational)
        {
            using var scope = NewDisposeScope();
            manual_seed(5);
            Bijection first = variational ? new VariationalDequantization([2], 4, couplings: 2, hidden: 16)
                : new UniformDequantization(4, [2]);
            using var flow = new Flow([2], new Chain(first, new LogitTransform(0.01, [2]), new AffineCouplingLayer([2], Mask.Alternating(2),
                new ResidualMlp(1, 2, 16, 1)), new AffineCouplingLayer([2], !Mask.Alternating(2), new ResidualMlp(1, 2, 16, 1)),
                new DiagonalScaling([2])));
            flow.Likelihood.Should().Be(Likelihood.LowerBound);
            var k = rand(1024, 1).ge(0.3).to(int64).repeat(1, 2);
            using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 25, BatchSize = 128, LearningRate = 1e-2,
                ValidationFraction = 0, Seed = 1 });
            trainer.Fit(TrainingData.From(k));
            var result = flow.Evaluate(k, seed: 3);
            result.Likelihood.Should().Be(Likelihood.LowerBound);
            return result.MeanLogProb;
        }
        var (uniform, learned) = (Trained(false), Trained(true));
        // the entropy of the data is the limit of both
        learned.Should().BeGreaterThan(uniform + 0.05).And.BeLessThan(-0.5);
    }

    [Fact, LeavesNoTensors]
    public void Integers_come_back_in_single_precision_and_other_data_are_refused()
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var flow = new Flow([1, 4, 4], new Chain(Make([1, 4, 4], 256), new LogitTransform(0.05, [1, 4, 4])));
        var k = randint(256, [200, 1, 4, 4], dtype: int64);
        flow.Decode(flow.Encode(k, seed: 1)).sub(k).abs().max().item<float>().Should().Be(0);
        flow.LogProb(k, seed: 1).eq(flow.LogProb(k, seed: 1)).all().item<bool>().Should().BeTrue();
        flow.Sample(3, seed: 1).frac().abs().max().item<float>().Should().Be(0);
        FluentActions.Invoking(() => flow.LogProb(k.add(1).mul(2))).Should().Throw<ArgumentException>()
            .WithMessage("*expects whole numbers in 0 ... 255*");
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        using var wrong = new ActNorm([3]);
        FluentActions.Invoking(() => new VariationalDequantization([2], 4, wrong)).Should().Throw<ArgumentException>()
            .WithMessage("*side by side, (4,); it takes (3,)*");
        FluentActions.Invoking(() => new VariationalDequantization([1], 4)).Should().Throw<ArgumentException>().WithMessage("*at least 2*");
        FluentActions.Invoking(() => new VariationalDequantization([2], 1)).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void A_new_layer_is_uniform_noise()
    {
        using var scope = NewDisposeScope();
        using var layer = new VariationalDequantization([3], 7);
        var (z, logDet) = layer.Forward(full(100_000, 3, 2, dtype: float32));
        logDet.add(3 * Math.Log(7)).abs().mean().item<float>().Should().BeLessThan(0.03f, "but for the edges");
        logDet.add(3 * Math.Log(7)).mean().item<float>().Should().BeApproximately(0, 0.01f);
        var u = z.mul(7).sub(2);
        foreach (var edge in new[] { 0.05, 0.3, 0.9 })
            u.lt(edge).to(float32).mean().item<float>().Should().BeApproximately((float)edge, 0.006f);
    }

    private static VariationalDequantization Make(EventShape shape, int levels)
    {
        var layer = new VariationalDequantization(shape, levels, couplings: 2, hidden: 4);
        RandomWeights.Draw(layer, 3, 0.15);
        return layer;
    }
}
