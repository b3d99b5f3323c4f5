using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

[LeavesNoTensors]
public class PeriodicConv2dTests
{
    [Theory, InlineData(1), InlineData(2), InlineData(3), InlineData(4)]
    public void A_new_layer_is_the_identity(long size)
    {
        using var scope = NewDisposeScope();
        using var layer = new PeriodicConv2d([3, 4, 5], size);
        var x = randn(2, 3, 4, 5);
        var (z, logDet) = layer.Forward(x);
        z.eq(x).all().item<bool>().Should().BeTrue();
        logDet.abs().max().item<float>().Should().BeLessThan(1e-6f);
        layer.Inverse(x).Value.sub(x).abs().max().item<float>().Should().BeLessThan(1e-6f);
    }

    [Theory, InlineData(3, 5, 3), InlineData(4, 6, 3), InlineData(4, 4, 2), InlineData(5, 4, 4), InlineData(1, 1, 1), InlineData(2, 1, 1),
        InlineData(1, 2, 1)]
    public void The_log_determinant_is_that_of_the_whole_matrix(long height, long width, long size)
    {
        using var scope = NewDisposeScope();
        using var layer = new PeriodicConv2d([2, -1, -1], size);
        Draw(layer, 5, 0.5);
        layer.to(float64);
        var n = 2 * height * width;
        var (rows, logDet) = layer.Forward(eye(n, dtype: float64).reshape(n, 2, height, width));
        var (_, expected) = linalg.slogdet(rows.reshape(n, n));
        logDet.sub(expected).abs().max().item<double>().Should().BeLessThan(1e-11);
        // row by row the convolution that wraps around
        var kernel = layer.state_dict()["weight"];
        var x = randn(3, 2, height, width, dtype: float64);
        var sum = zeros(3, 2, height, width, dtype: float64);
        for (var i = 0L; i < size; i++)
            for (var j = 0L; j < size; j++)
                sum = sum.add(einsum("ab,nbhw->nahw", kernel[.., .., (int)i, (int)j], x.roll([(size / 2) - i, (size / 2) - j], [2, 3])));
        layer.Forward(x).Value.sub(sum).abs().max().item<double>().Should().BeLessThan(1e-13);
        layer.Inverse(sum).Value.sub(x).abs().max().item<double>().Should().BeLessThan(1e-10);
    }

    [Fact]
    public void Wild_weights_give_finite_values_and_gradients_in_float32()
    {
        for (var seed = 0; seed < 20; seed++)
        {
            using var scope = NewDisposeScope();
            using var layer = new PeriodicConv2d([3, 4, 4]);
            Draw(layer, seed, 10);
            foreach (var inverse in new[] { false, true })
            {
                var x = randn(4, 3, 4, 4).requires_grad_();
                var (value, logDet) = inverse ? layer.Inverse(x) : layer.Forward(x);
                value.sum().add(logDet.sum()).backward();
                foreach (var tensor in new[] { value, logDet, x.grad!, layer.parameters().Single().grad! })
                    tensor.isfinite().all().item<bool>().Should().BeTrue("seed {0}, inverse {1}", seed, inverse);
                layer.zero_grad();
            }
        }
    }

    [Fact]
    public void A_singular_kernel_says_which_layer_and_what_to_do()
    {
        using var scope = NewDisposeScope();
        using var layer = new PeriodicConv2d([1, 4, 4], 2);
        var kernel = layer.state_dict()["weight"];
        // nothing; a difference, which loses the mean; an average, which loses the finest stripes but for rounding
        foreach (var values in new[] { new float[] { 0, 0, 0, 0 }, [1, -1, 0, 0], [1, 1, 0, 0], [float.NaN, 0, 0, 1] })
        {
            using (no_grad()) kernel.copy_(tensor(values).reshape(1, 1, 2, 2));
            FluentActions.Invoking(() => layer.Inverse(randn(2, 1, 4, 4))).Should().Throw<InvalidOperationException>()
                .WithMessage("The kernel of PeriodicConv2d has no inverse*smaller learning rate*");
        }
    }

    [Fact]
    public void Bad_arguments_are_refused()
    {
        using var scope = NewDisposeScope();
        FluentActions.Invoking(() => new PeriodicConv2d([3])).Should().Throw<ArgumentException>().WithMessage("*[C, H, W]*(3,)*");
        FluentActions.Invoking(() => new PeriodicConv2d([-1, 4, 4])).Should().Throw<ArgumentException>()
            .WithMessage("*known number of channels*");
        FluentActions.Invoking(() => new PeriodicConv2d([1, 4, 4], 0)).Should().Throw<ArgumentOutOfRangeException>()
            .WithMessage("*at least 1*");
        FluentActions.Invoking(() => new PeriodicConv2d([1, 4, 2])).Should().Throw<ArgumentOutOfRangeException>()
            .WithMessage("*larger than the image*4×2*");
        using var open = new PeriodicConv2d([1, -1, -1]);
        FluentActions.Invoking(() => open.Forward(randn(1, 1, 2, 5))).Should().Throw<ArgumentException>()
            .WithMessage("PeriodicConv2d has a kernel of 3×3*2×5*");
    }

    private static void Draw(nn.Module layer, int seed, double spread)
    {
        manual_seed(seed).Dispose();
        using var _ = no_grad();
        foreach (var p in layer.parameters()) p.normal_(0, spread);
    }
}
