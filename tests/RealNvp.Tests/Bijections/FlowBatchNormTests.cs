using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

public class FlowBatchNormTests
{
    [Fact]
    public void The_inverse_undoes_the_last_training_pass_and_changes_nothing()
    {
        using var scope = NewDisposeScope();
        manual_seed(0);
        using var norm = new FlowBatchNorm([3, 4, 4], Mask.Checkerboard(4, 4));
        norm.to(float64);
        for (var pass = 0; pass < 3; pass++)
        {
            var x = randn(5, 3, 4, 4, dtype: float64).mul(4).add(2);
            var (z, forward) = norm.Forward(x);
            var (back, inverse) = norm.Inverse(z);
            back.sub(x).abs().max().item<double>().Should().BeLessThan(1e-12);
            forward.add(inverse).abs().max().item<double>().Should().BeLessThan(1e-12);
        }
    }

    [Fact]
    public void An_inverse_before_any_forward_is_nearly_the_identity()
    {
        using var scope = NewDisposeScope();
        using var norm = new FlowBatchNorm([4]);
        var z = ones(2, 4);
        norm.Inverse(z).Value.sub(z).abs().max().item<float>().Should().BeLessThan(1e-4f);
    }

    [Fact]
    public void Kept_elements_are_neither_counted_nor_changed()
    {
        using var scope = NewDisposeScope();
        manual_seed(0);
        var mask = Mask.Checkerboard(4, 4);
        using var norm = new FlowBatchNorm([1, 4, 4], mask, momentum: 0);
        var kept = mask.ToTensor().expand(6, 1, 4, 4);
        var noise = randn(6, 1, 4, 4).mul(3).add(5);
        var x = kept.mul(1e4).add(noise.mul(kept.neg().add(1)));   // huge where kept
        var z = norm.Forward(x).Value;
        z.mul(kept).sub(x.mul(kept)).abs().max().item<float>().Should().Be(0);
        var changed = z.masked_select(kept.eq(0));
        changed.mean().item<float>().Should().BeApproximately(0, 1e-4f);
        changed.mul(changed).mean().item<float>().Should().BeApproximately(1, 1e-3f);
    }

    [Fact]
    public void A_batch_of_one_trains_to_finite_numbers()
    {
        using var scope = NewDisposeScope();
        using var norm = new FlowBatchNorm([3]);
        var (z, logDet) = norm.Forward(tensor(new[,] { { 1f, -2f, 3f } }));
        z.isfinite().all().item<bool>().Should().BeTrue();
        logDet.item<float>().Should().BeApproximately(0, 1e-4f, "one example has no variance, so the scale stays");
    }

    [Fact]
    public void Evaluation_sees_no_batch()
    {
        using var scope = NewDisposeScope();
        manual_seed(0);
        using var norm = new FlowBatchNorm([2]);
        for (var pass = 0; pass < 4; pass++) norm.Forward(randn(8, 2).mul(5));
        norm.eval();
        var x = randn(3, 2);
        var alone = norm.Forward(x[..1]).Value;
        var withOthers = norm.Forward(cat([x[..1], randn(50, 2).mul(100)])).Value;
        alone.sub(withOthers[..1]).abs().max().item<float>().Should().Be(0);
    }
}
