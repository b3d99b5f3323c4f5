using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

public class CouplingLayerTests
{
    private static ResidualConvNet Net(long inputs, long outputs) => new(inputs, outputs, new() { HiddenChannels = 4, Blocks = 0 });

    [Fact]
    public void The_mask_is_no_input_unless_it_is_asked_for()
    {
        using var affine = new AffineCouplingLayer([2, 4, 4], Mask.Checkerboard(4, 4), Net(2, 4));
        affine.ConditionerInputShape.Should().Equal(2, 4, 4);
        using var any = new AffineCouplingLayer([2, 4, 4], Mask.Checkerboard(4, 4), nn.Conv2d(2, 4, 1));
        any.ConditionerInputShape.Should().Equal(2, 4, 4);
        using var general = new CouplingLayer([2, 4, 4], Mask.Checkerboard(4, 4), new AdditiveTransformer(), Net(2, 2));
        general.ConditionerInputShape.Should().Equal(2, 4, 4);
        using var generalAny = new CouplingLayer([2, 4, 4], Mask.Checkerboard(4, 4), new AdditiveTransformer(), nn.Conv2d(2, 2, 1));
        generalAny.ConditionerInputShape.Should().Equal(2, 4, 4);
        using var additive = new AdditiveCouplingLayer([2, 4, 4], Mask.Checkerboard(4, 4), Net(2, 2));
        additive.ConditionerInputShape.Should().Equal(2, 4, 4);
    }

    [Fact]
    public void The_mask_is_an_input_where_it_has_one_channel_and_is_refused_where_it_has_more()
    {
        using var scope = NewDisposeScope();
        bool[] pattern = [true, false, false, true, false, true];
        using var layer = new AffineCouplingLayer([2, 2, 3], new Mask([1, 2, 3], pattern), Net(3, 4), maskAsInput: true);
        layer.Forward(randn(2, 2, 2, 3)).Value.shape.Should().Equal(2, 2, 2, 3);
        FluentActions.Invoking(() => new AffineCouplingLayer([2, 1, 3], new Mask([2, 1, 3], pattern), Net(3, 4), maskAsInput: true))
            .Should().Throw<ArgumentException>().WithMessage("*(H, W)*");
    }

    [Fact]
    public void Masks_fit_images_of_any_size_where_they_name_channels_alone()
    {
        using var scope = NewDisposeScope();
        using var layer = new AdditiveCouplingLayer([4, -1, -1], Mask.ChannelWise(4), Net(2, 2));
        layer.Forward(randn(2, 4, 3, 5)).Value.shape.Should().Equal(2, 4, 3, 5);
        layer.Forward(randn(2, 4, 6, 2)).Value.shape.Should().Equal(2, 4, 6, 2);
        // a mask of rows and columns says the sizes that the shape leaves open
        using var checkerboard = new AdditiveCouplingLayer([1, -1, -1], Mask.Checkerboard(2, 4), Net(1, 1));
        checkerboard.Forward(randn(2, 1, 2, 4)).Value.shape.Should().Equal(2, 1, 2, 4);
    }

    [Fact]
    public void A_conditioner_that_loses_examples_is_an_error()
    {
        using var scope = NewDisposeScope();
        using var net = new FirstExample();
        FluentActions.Invoking(() => new AffineCouplingLayer([4], Mask.FirstHalf(4), net)).Should().Throw<ArgumentException>()
            .WithMessage("*(FirstExample) maps (2, 2) to (1, 4); it must map (N, 2) to (N, 4)*");
    }

    // what such a network gets is a copy, and the result has the numbers of the input
    [Theory, InlineData(false), InlineData(true)]
    public void A_network_may_write_to_what_it_gets_of_scattered_features(bool inverse)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var layer = new CouplingLayer([4], Mask.Alternating(4), new AffineTransformer([2]), new WritesToItsInput());
        var x = randn(5, 4);
        var before = x.clone();
        var value = inverse ? layer.Inverse(x).Value : layer.Forward(x).Value;
        x.eq(before).all().item<bool>().Should().BeTrue();
        var kept = tensor(layer.Mask.Kept.ToArray());
        value.eq(before).logical_or(kept.logical_not()).all().item<bool>().Should().BeTrue();
    }

    private sealed class WritesToItsInput() : nn.Module<Tensor, Tensor>(nameof(WritesToItsInput))
    {
        public override Tensor forward(Tensor input) => cat([input.mul_(3), input], 1);
    }

    private sealed class FirstExample() : nn.Module<Tensor, Tensor>(nameof(FirstExample))
    {
        public override Tensor forward(Tensor input) => zeros(1, 4);
    }
}
