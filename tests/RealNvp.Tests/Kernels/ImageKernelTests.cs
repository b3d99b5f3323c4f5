using RealNvp.Kernels;
using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

public class ImageKernelTests
{
    [Theory, InlineData(1, 1, 1), InlineData(5, 3, 3), InlineData(64, 64, 3), InlineData(3, 7, 5), InlineData(40, 33, 1), LeavesNoTensors]
    public void Weight_normalization_agrees_with_plain_tensors(long outputs, long inputs, long size)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var (v, g) = (randn(outputs, inputs, size, size), randn(outputs, 1, 1, 1));
        using (no_grad()) v[0].zero_();   // a direction without a length
        foreach (var layout in new Func<Tensor, Tensor>[] { t => t, ChannelsLast.Of, t => t.permute(1, 0, 3, 2).contiguous().permute(1, 0,
            3, 2) })
        {
            var upstream = layout(randn(outputs, inputs, size, size));
            var results = new List<Tensor[]>();
            foreach (var fused in new[] { true, false })
            {
                Tensor a = v.detach().clone().requires_grad_(true), b = g.detach().clone().requires_grad_(true);
                var w = WeightNorm.Of(a, b, fused);
                autograd.backward([w], [upstream]);
                results.Add([w.detach(), a.grad!, b.grad!]);
            }
            foreach (var (kernel, plain) in results[0].Zip(results[1])) Apart(kernel, plain).Should().BeLessThan(2e-6);
        }
    }

    // with two elements a channel the normalized ones are -1 and 1 whatever they
    // were, and the gradient is what rounding leaves of 0: three are the least
    [Theory, InlineData(4, 32, 8, 8), InlineData(1, 8, 1, 3), InlineData(3, 21, 5, 7), InlineData(16, 64, 16, 16), LeavesNoTensors]
    public void Batch_norm_with_relu_agrees_with_plain_tensors_in_both_modes(long n, long c, long h, long w)
    {
        using var scope = NewDisposeScope();
        manual_seed(2);
        // far from 0 against its spread, so that a careless variance would lose digits
        var x = ChannelsLast.Of(randn(n, c, h, w).mul(0.5).add(randn(c, 1, 1).mul(20)));
        var upstream = randn(n, c, h, w);
        foreach (var train in new[] { true, false })
        {
            var exact = Run(x, upstream, train, kernel: false, float64);
            var plain = Run(x, upstream, train, kernel: false, float32);
            var fused = Run(x, upstream, train, kernel: true, float32);
            foreach (var name in fused.Keys)
                Apart(fused[name], exact[name]).Should().BeLessThan(Math.Max(1e-5, 3 * Apart(plain[name], exact[name])),
                    "of {0}, training {1}", name, train);
        }
    }

    [Fact, LeavesNoTensors]
    public void Batch_norm_with_relu_does_not_depend_on_the_number_of_threads()
    {
        using var scope = NewDisposeScope();
        var x = ChannelsLast.Of(randn(16, 32, 32, 32));
        var upstream = ChannelsLast.Of(randn(16, 32, 32, 32));
        var threads = get_num_threads();
        try
        {
            set_num_threads(1);
            var one = Run(x, upstream, train: true, kernel: true, float32);
            set_num_threads(2);
            var two = Run(x, upstream, train: true, kernel: true, float32);
            foreach (var name in one.Keys) one[name].eq(two[name]).all().item<bool>().Should().BeTrue("of {0}", name);
        }
        finally { set_num_threads(threads); }
    }

    [Fact, LeavesNoTensors]
    public void Gradients_of_weight_normalization_and_batch_norm_have_gradients()
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        using var net = new ResidualConvNet(3, 4, new ResidualConvNetOptions { HiddenChannels = 8, Blocks = 1, BatchNorm = true,
            Statistics = BatchStatistics.Current });
        using (no_grad()) foreach (var p in net.parameters()) p.normal_(0.1, 0.5);
        var x = randn(2, 3, 4, 4);
        double Second(bool kernel)
        {
            using var _ = KernelSwitch.Set(kernel, nameof(KernelSwitches.Image));
            var leaf = x.detach().requires_grad_(true);
            var first = autograd.grad([net.call(leaf, null).pow(2).sum()], [leaf], retain_graph: true, create_graph: true)[0];
            var second = autograd.grad([first.mul(first).sum()], [leaf])[0];
            return second.to(float64).abs().sum().item<double>();
        }
        Second(true).Should().BeApproximately(Second(false), 2e-3 * Second(false));
    }

    [Theory, InlineData(true), InlineData(false), LeavesNoTensors]
    public void Networks_give_the_same_with_and_without_kernels_whatever_the_layout_of_their_input(bool glow)
    {
        using var scope = NewDisposeScope();
        manual_seed(6);
        using Conditioner net = glow ? new GlowConvNet(3, 6, 16) : new ResidualConvNet(3, 6,
            new ResidualConvNetOptions { HiddenChannels = 16, Blocks = 2, BatchNorm = true, ConcatenatedRelu = true, DoubleInput = true });
        using (no_grad()) foreach (var p in net.parameters()) p.normal_(0.1, 0.3);
        foreach (var train in new[] { true, false })
        {
            net.train(train);
            var x = randn(4, 3, 8, 8);
            Dictionary<string, Tensor> Gradients(bool kernel, Tensor input)
            {
                using var _ = KernelSwitch.Set(kernel, nameof(KernelSwitches.Image));
                net.zero_grad();
                var y = net.call(input, null);
                y.mul(y).sum().backward();
                var all = net.named_parameters().ToDictionary(p => p.name, p => p.parameter.grad!.clone());
                all["y"] = y.detach();
                return all;
            }
            var plain = Gradients(false, x);
            // a bias before a batch normalization has no effect: its gradient is rounding, and small beside those of the others
            var largest = plain.Values.Max(v => v.abs().max().item<float>());
            foreach (var layout in new[] { x, ChannelsLast.Of(x), x.transpose(2, 3).contiguous().transpose(2, 3) })
                foreach (var (name, value) in Gradients(true, layout))
                    (value.sub(plain[name]).abs().max().item<float>() / largest).Should().BeLessThan(2e-5f, "of {0}", name);
        }
    }

    [Fact, LeavesNoTensors]
    public void Threads_that_share_a_kernel_do_all_of_it_and_an_error_in_a_part_comes_out()
    {
        var threads = get_num_threads();
        try
        {
            set_num_threads(2);
            var done = new int[1001];
            KernelThreads.For(done.Length, 1e9, 1,
                (start, end) => { for (var i = start; i < end; i++) Interlocked.Increment(ref done[i]); });
            done.Should().OnlyContain(d => d == 1);
            var fault = () =>
                KernelThreads.For(100, 1e9, 1, (start, end) => { if (end == 100) throw new InvalidOperationException("a part failed"); });
            fault.Should().Throw<InvalidOperationException>().WithMessage("a part failed");
        }
        finally { set_num_threads(threads); }
    }

    private static Dictionary<string, Tensor> Run(Tensor x, Tensor upstream, bool train, bool kernel, ScalarType dtype)
    {
        using var _ = KernelSwitch.Set(kernel, nameof(KernelSwitches.Image));
        using var norm = new ChannelBatchNorm(x.shape[1], BatchStatistics.Current);
        using (no_grad())
        {
            manual_seed(9);
            foreach (var p in norm.parameters()) p.uniform_(0.5, 1.5);
        }
        norm.to(dtype);
        norm.train(train);
        var input = x.to(dtype).detach().requires_grad_(train);
        using var mode = set_grad_enabled(train);   // the kernel of evaluation is one without gradients
        var y = norm.Relu(input);
        var results = new Dictionary<string, Tensor> { ["y"] = y.detach() };
        foreach (var (name, buffer) in norm.named_buffers()) results[name] = buffer.to(float64, copy: true);
        if (!train) return results;
        autograd.backward([y], [upstream.to(dtype)]);
        results["gradient of x"] = input.grad!;
        foreach (var (name, parameter) in norm.named_parameters()) results["gradient of " + name] = parameter.grad!.clone();
        return results;
    }

    private static double Apart(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        var (p, q) = (a.to(float64), b.to(float64));
        return p.sub(q).abs().max().item<double>() / Math.Max(1e-6, q.abs().max().item<double>());
    }
}
