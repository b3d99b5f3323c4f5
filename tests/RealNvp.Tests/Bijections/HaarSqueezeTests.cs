using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

[LeavesNoTensors]
public class HaarSqueezeTests
{
    [Fact]
    public void A_block_becomes_its_average_and_three_details()
    {
        using var scope = NewDisposeScope();
        using var layer = new HaarSqueeze([1, 2, 2]);
        var (z, logDet) = layer.Forward(tensor(new float[] { 1, 2, 4, 9 }).reshape(1, 1, 2, 2));
        z.shape.Should().Equal(1, 4, 1, 1);
        z.data<float>().Should().Equal(8f, -3f, -5f, 2f);
        logDet.item<float>().Should().Be(0);
    }

    [Fact]
    public void The_averages_of_all_channels_come_first_and_the_length_stays()
    {
        using var scope = NewDisposeScope();
        using var layer = new HaarSqueeze([3, -1, -1]);
        var x = randn(2, 3, 6, 4, dtype: float64);
        var z = layer.Forward(x).Value;
        z.shape.Should().Equal(2, 12, 3, 2);
        z.narrow(1, 0, 3).sub(nn.functional.avg_pool2d(x, 2).mul(2)).abs().max().item<double>().Should().BeLessThan(1e-14);
        z.square().sum().sub(x.square().sum()).abs().item<double>().Should().BeLessThan(1e-12);
    }

    [Fact]
    public void Whole_numbers_come_back_exactly()
    {
        using var scope = NewDisposeScope();
        using var layer = new HaarSqueeze([2, 8, 8]);
        var x = randint(256, [5, 2, 8, 8], dtype: float32);
        layer.Inverse(layer.Forward(x).Value).Value.eq(x).all().item<bool>().Should().BeTrue();
    }

    [Fact]
    public void Odd_sizes_are_refused()
    {
        using var scope = NewDisposeScope();
        FluentActions.Invoking(() => new HaarSqueeze([3, 3, 4])).Should().Throw<ArgumentException>()
            .WithMessage("*even height and width; got 3×4*");
        FluentActions.Invoking(() => new HaarSqueeze([3])).Should().Throw<ArgumentException>().WithMessage("*(C, H, W)*");
        using var open = new HaarSqueeze([1, -1, -1]);
        FluentActions.Invoking(() => open.Forward(randn(1, 1, 4, 5))).Should().Throw<ArgumentException>()
            .WithMessage("HaarSqueeze needs an even height and width*4×5*");
    }
}
