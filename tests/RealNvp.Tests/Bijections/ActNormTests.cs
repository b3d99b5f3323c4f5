using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

public class ActNormTests
{
    [Theory, InlineData(new long[] { 3, 4, 5 }), InlineData(new long[] { 3 })]
    public void The_first_training_batch_comes_out_with_mean_0_and_variance_1(long[] size)
    {
        using var scope = NewDisposeScope();
        using var layer = new ActNorm(EventShape.Create(size));
        layer.to(float64);
        var first = randn([64, .. size], dtype: float64).mul(5).add(7);
        var z = layer.Forward(first).Value.transpose(0, 1).flatten(1);
        z.mean([1L]).abs().max().item<double>().Should().BeLessThan(1e-12);
        z.mul(z).mean([1L]).sub(1).abs().max().item<double>().Should().BeLessThan(1e-12);
        // the second batch finds it settled
        var before = layer.state_dict()["log_scale"].clone();
        layer.Forward(first.mul(3));
        Same(layer.state_dict()["log_scale"], before).Should().BeTrue();
    }

    [Fact]
    public void Evaluation_and_Inverse_leave_it_as_it_is()
    {
        using var scope = NewDisposeScope();
        using var layer = new ActNorm([3]);
        var x = randn(8, 3).mul(5);
        Same(layer.Inverse(x).Value, x).Should().BeTrue("a first call may be an inverse");
        layer.eval();
        Same(layer.Forward(x).Value, x).Should().BeTrue();
        layer.IsInitialized.Should().BeFalse();
        layer.MixesBatchInTraining.Should().BeTrue();
        layer.train();
        Same(layer.Forward(x).Value, x).Should().BeFalse();
    }

    [Fact]
    public void One_vector_says_no_width_and_the_next_batch_is_asked()
    {
        using var scope = NewDisposeScope();
        using var layer = new ActNorm([3]);
        var one = ones(1, 3).mul(4);
        Same(layer.Forward(one).Value, one).Should().BeTrue();
        layer.Forward(zeros(0, 3)).Value.shape.Should().Equal(0, 3);
        var z = layer.Forward(randn(100, 3).add(9)).Value;
        z.mean([0L]).abs().max().item<float>().Should().BeLessThan(1e-4f);
    }

    [Theory, InlineData(0.0), InlineData(0.1), InlineData(1234.567)]
    public void A_constant_channel_gets_its_shift_alone(double value)
    {
        using var scope = NewDisposeScope();
        using var layer = new ActNorm([2]);
        var x = cat([full([50, 1], value, float32), randn(50, 1)], 1);
        var z = layer.Forward(x).Value;
        z.select(1, 0).abs().max().item<float>().Should().BeLessThan(1e-6f * (float)Math.Max(1, value));
        layer.state_dict()["log_scale"][0].item<float>().Should().Be(0);
    }

    [Theory, InlineData(double.NaN), InlineData(double.PositiveInfinity), InlineData(double.NegativeInfinity)]
    public void A_channel_that_is_not_finite_does_not_spoil_the_weights(double value)
    {
        using var scope = NewDisposeScope();
        using var layer = new ActNorm([2]);
        layer.Forward(cat([full([50, 1], value, float32), randn(50, 1)], 1));
        layer.state_dict()["shift"][0].item<float>().Should().Be(0);
        layer.state_dict()["log_scale"][0].item<float>().Should().Be(0);
        layer.state_dict()["log_scale"][1].item<float>().Should().NotBe(0);
    }

    [Fact]
    public void A_narrow_channel_far_below_one_is_still_normalized()
    {
        using var scope = NewDisposeScope();
        using var layer = new ActNorm([1]);
        var z = layer.Forward(randn(1000, 1).mul(1e-8)).Value;
        z.mul(z).mean().item<float>().Should().BeApproximately(1, 1e-3f);
    }

    [Fact]
    public void A_loaded_state_is_not_set_again()
    {
        using var scope = NewDisposeScope();
        using var trained = new ActNorm([3]);
        trained.Forward(randn(20, 3).mul(4));
        using var loaded = new ActNorm([3]);
        loaded.load_state_dict(trained.state_dict());
        loaded.IsInitialized.Should().BeTrue();
        loaded.MixesBatchInTraining.Should().BeFalse();
        var x = randn(20, 3);
        Same(loaded.Forward(x).Value, trained.Forward(x).Value).Should().BeTrue();
    }

    [Fact]
    public void A_shape_without_channels_is_refused()
    {
        var act = () => new ActNorm([-1, 4, 4]);
        act.Should().Throw<ArgumentException>().WithMessage("*number of channels*");
    }

    private static bool Same(Tensor a, Tensor b) => a.eq(b).all().item<bool>();
}
