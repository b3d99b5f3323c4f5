using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Conditioners;

public class ChannelBatchNormTests
{
    [Fact]
    public void With_current_statistics_it_is_torchs_batch_norm_in_both_modes()
    {
        using var scope = NewDisposeScope();
        manual_seed(0);
        using var ours = new ChannelBatchNorm(3, BatchStatistics.Current, momentum: 0.9);
        using var theirs = nn.BatchNorm2d(3, momentum: 0.1);
        for (var pass = 0; pass < 3; pass++)
        {
            var x = randn(4, 3, 5, 5).mul(2).add(pass);
            Distance(ours.call(x), theirs.call(x)).Should().BeLessThan(1e-6);
        }
        foreach (var (name, buffer) in theirs.named_buffers())
            Distance(ours.named_buffers().Single(b => b.name == name).buffer.to(float64), buffer.to(float64)).Should().BeLessThan(1e-6,
                "of {0}", name);
        ours.eval();
        theirs.eval();
        var y = randn(2, 3, 4, 4);
        Distance(ours.call(y), theirs.call(y)).Should().BeLessThan(1e-6);
    }

    [Fact]
    public void Running_statistics_are_the_unbiased_average_of_the_batches()
    {
        using var scope = NewDisposeScope();
        manual_seed(0);
        using var norm = new ChannelBatchNorm(2, momentum: 0.9);
        double mean = 0, total = 0;
        for (var pass = 0; pass < 5; pass++)
        {
            var x = randn(8, 2).add(3 * pass);
            var y = norm.call(x);
            mean = (0.9 * mean) + (0.1 * x[.., 0].mean().item<float>());
            total = (0.9 * total) + 0.1;
            var running = norm.named_buffers().Single(b => b.name == "running_mean").buffer;
            running[0].item<float>().Should().BeApproximately((float)(mean / total), 1e-4f);
            // what training divides by is what evaluation would divide by right now
            norm.eval();
            Distance(y, norm.call(x)).Should().BeLessThan(1e-4);
            norm.train();
        }
    }

    [Fact]
    public void Gradients_flow_through_the_share_of_the_current_batch()
    {
        using var scope = NewDisposeScope();
        using var norm = new ChannelBatchNorm(1, momentum: 0);   // the current batch alone: as torch's own
        using var torchs = nn.BatchNorm1d(1);
        manual_seed(1);
        var x = randn(6, 1, requires_grad: true);
        var x2 = x.detach().clone().requires_grad_(true);
        var weights = randn(6, 1);
        norm.call(x).mul(weights).sum().backward();
        torchs.call(x2).mul(weights).sum().backward();
        Distance(x.grad!, x2.grad!).Should().BeLessThan(1e-5);
    }

    private static double Distance(Tensor a, Tensor b) => a.sub(b).abs().max().to(float64).item<double>();
}
