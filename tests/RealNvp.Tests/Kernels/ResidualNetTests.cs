using RealNvp.Kernels;
using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

[LeavesNoTensors]
public class ResidualNetTests
{
    public static TheoryData<int, int, int, int, int, int, int, bool, int> Shapes()
    {
        var data = new TheoryData<int, int, int, int, int, int, int, bool, int>();
        foreach (var lanes in new[] { 8, 16 })
        {
            data.Add(4, 6, 32, 6, 12, 10, 2, true, lanes);
            data.Add(3, 1, 40, 17, 15, 13, 1, true, lanes);
            data.Add(6, 12, 48, 24, 8, 8, 1, false, lanes);
            data.Add(98, 2, 32, 33, 1, 2, 1, true, lanes);
            data.Add(2, 40, 64, 3, 16, 15, 0, true, lanes);
            data.Add(16, 3, 32, 12, 16, 16, 3, true, lanes);
        }
        return data;
    }

    [Theory, MemberData(nameof(Shapes))]
    public void Outputs_and_gradients_are_as_close_to_float64_as_those_of_plain_operations(int n, int i, int c, int o, int h, int w,
        int blocks, bool hasNorms, int lanes)
    {
        using var scope = NewDisposeScope();
        var before = LaneWidth.Bits;
        try
        {
            LaneWidth.Bits = 32 * lanes;
            var (net, tensors) = Draw(n, i, c, o, h, w, blocks, hasNorms);
            net.CanRun(tensors[..^1]).Should().BeTrue();
            var exact = KernelResults.Gradients(net.Reference, tensors, float64);
            var plain = KernelResults.Gradients(net.Reference, tensors, float32);
            var fast = KernelResults.Gradients(net.Run, tensors, float32);
            // some gradients of lengths are three numbers, of which plain operations may hit one to the last digit
            for (var k = 0; k < exact.Length; k++)
                Error(fast[k], exact[k]).Should().BeLessThan(Math.Max(3 * Error(plain[k], exact[k]), 5e-6), "of number {0}", k);
            using (no_grad())
                KernelResults.Same(net.Run(tensors[..^1]), fast[0]).Should().BeTrue("an output does not depend on who wants gradients");
        }
        finally { LaneWidth.Bits = before; }
    }

    [Theory, InlineData(16, 6, 32, 12, 16, 16), InlineData(2, 5, 32, 16, 31, 33)]
    public void The_result_is_the_same_to_the_bit_for_any_number_of_threads(int n, int i, int c, int o, int h, int w)
    {
        using var scope = NewDisposeScope();
        var (net, tensors) = Draw(n, i, c, o, h, w, 2, hasNorms: true);
        var before = get_num_threads();
        try
        {
            set_num_threads(1);
            var one = KernelResults.Gradients(net.Run, tensors, float32);
            set_num_threads(2);
            var two = KernelResults.Gradients(net.Run, tensors, float32);
            for (var k = 0; k < one.Length; k++) KernelResults.Same(one[k], two[k]).Should().BeTrue("of number {0}", k);
        }
        finally { set_num_threads(before); }
    }

    [Theory, InlineData(true), InlineData(false)]
    public void With_known_statistics_an_image_does_not_depend_on_those_beside_it(bool hasNorms)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (net, tensors) = Draw(4, 6, 32, 12, 10, 10, 2, hasNorms);
        net = net with { OfBatch = false };
        var all = net.Run(tensors[..^1]);
        Error(all, (net with { Norms = [.. net.Norms.Select(Wide)] }).Reference([.. tensors[..^1].Select(t => t.to(float64))]))
            .Should().BeLessThan(2e-6);
        tensors[0] = tensors[0].narrow(0, 0, 4).index_select(0, tensor(new long[] { 3, 1, 2, 0 }));
        KernelResults.Same(net.Run(tensors[..^1])[3], all[0]).Should().BeTrue();
    }

    [Fact]
    public void A_batch_counts_once_and_none_if_it_is_computed_again()
    {
        using var scope = NewDisposeScope();
        var (net, tensors) = Draw(4, 6, 32, 12, 10, 10, 1, hasNorms: true);
        var before = net.Norms.Select(n => n.Mean.clone()).ToArray();
        (net with { Counts = false }).Run(tensors[..^1]);
        for (var k = 0; k < before.Length; k++)
        {
            KernelResults.Same(net.Norms[k].Mean, before[k]).Should().BeTrue();
            net.Norms[k].Batches.item<long>().Should().Be(0);
        }
        net.Run(tensors[..^1]);
        // the first one sees what the first convolution gives
        var h = nn.functional.conv2d(tensors[0], WeightNorm.Reference(tensors[1], tensors[2]), tensors[3], padding: [1, 1]);
        KernelResults.ApartOfMeanSquare(net.Norms[0].Mean, before[0].mul(0.9).add(h.mean([0, 2, 3]).mul(0.1))).Should().BeLessThan(1e-5);
        var variance = h.permute(1, 0, 2, 3).flatten(1).var(1, unbiased: true);
        KernelResults.ApartOfMeanSquare(net.Norms[0].Variance, variance.mul(0.1).add(0.9)).Should().BeLessThan(1e-5);
        foreach (var norm in net.Norms) norm.Batches.item<long>().Should().Be(1);
    }

    [Theory, InlineData(0), InlineData(1), InlineData(8), InlineData(-1)]
    public void Only_what_asks_for_a_gradient_gets_one(int wanted)
    {
        using var scope = NewDisposeScope();
        var (net, tensors) = Draw(4, 4, 32, 8, 10, 10, 1, hasNorms: true);
        var at = wanted < 0 ? tensors.Length - 1 + wanted : wanted;
        var expected = KernelResults.Gradients(net.Reference, tensors, float64)[1 + at];
        var leaves = tensors[..^1].Select((t, i) => t.detach().requires_grad_(i == at)).ToArray();
        autograd.backward([net.Run(leaves)], [tensors[^1]]);
        Error(leaves[at].grad!, expected).Should().BeLessThan(2e-5);
        leaves.Count(l => l.grad is not null).Should().Be(1);
    }

    [Fact]
    public void Images_and_gradients_may_lie_in_memory_as_they_like()
    {
        using var scope = NewDisposeScope();
        var (net, tensors) = Draw(4, 6, 32, 12, 10, 12, 1, hasNorms: true);
        var expected = KernelResults.Gradients(net.Run, tensors, float32);
        var twice = cat([tensors[0], tensors[0]], 1);
        foreach (var image in new[] { twice.narrow(1, 6, 6), ChannelsLast.Of(tensors[0]),
            tensors[0].transpose(2, 3).contiguous().transpose(2, 3) })
        {
            var actual = KernelResults.Gradients(net.Run, [image, .. tensors[1..^1], ChannelsLast.Of(tensors[^1])], float32);
            for (var k = 0; k < expected.Length; k++) KernelResults.Same(actual[k], expected[k]).Should().BeTrue("of number {0}", k);
        }
    }

    [Fact]
    public void Weights_get_the_bits_that_autograd_would_give_them()
    {
        using var scope = NewDisposeScope();
        var (net, tensors) = Draw(4, 6, 32, 12, 10, 12, 1, hasNorms: true);
        var taken = KernelResults.Gradients(net.Run, tensors, float32);
        using var _ = KernelSwitch.Set(false, nameof(KernelSwitches.Leaves));
        var given = KernelResults.Gradients(net.Run, tensors, float32);
        for (var k = 0; k < given.Length; k++) KernelResults.Same(taken[k], given[k]).Should().BeTrue("of number {0}", k);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Gradients_have_gradients(bool hasNorms)
    {
        using var scope = NewDisposeScope();
        var (net, tensors) = Draw(4, 3, 32, 4, 10, 10, 1, hasNorms);
        Tensor[] Second(Func<IReadOnlyList<Tensor>, Tensor> network, ScalarType dtype)
        {
            var leaves = tensors[..^1].Select(t => t.to(dtype).detach().requires_grad_(true)).ToArray();
            var first = autograd.grad([network(leaves).pow(3).mean()], leaves, retain_graph: true, create_graph: true);
            first.Select(g => g.square().sum()).Aggregate((a, b) => a.add(b)).backward();
            return [.. leaves.Select(l => l.grad!)];
        }
        var (fast, plain, exact) = (Second(net.Run, float32), Second(net.Reference, float32), Second(net.Reference, float64));
        for (var k = 0; k < exact.Length; k++)
            Error(fast[k], exact[k]).Should().BeLessThan(Math.Max(5 * Error(plain[k], exact[k]), 1e-4), "of number {0}", k);
    }

    [Fact]
    public void What_the_kernel_does_not_take_goes_to_separate_operations()
    {
        using var scope = NewDisposeScope();
        var (net, tensors) = Draw(4, 6, 32, 12, 10, 10, 1, hasNorms: true);
        var t = tensors[..^1];
        net.CanRun(t).Should().BeTrue();
        net.CanRun([.. t.Select(p => p.to(float64))]).Should().BeFalse();
        net.CanRun([t[0].narrow(0, 0, 0), .. t[1..]]).Should().BeFalse();
        net.CanRun([t[0].narrow(0, 0, 1), .. t[1..]]).Should().BeFalse("few tiles do not pay for Winograd's transforms");
        net.CanRun([t[0].narrow(1, 0, 5), .. t[1..]]).Should().BeFalse();
        net.CanRun([.. t.Select(p => p.detach().requires_grad_(true))]).Should().BeTrue();
        var known = net with { OfBatch = false };
        known.CanRun([.. t.Select(p => p.detach().requires_grad_(true))]).Should().BeFalse("known statistics have no gradients here");
        using (no_grad()) known.CanRun(t).Should().BeTrue();
        Draw(4, 6, 36, 12, 10, 10, 1, hasNorms: true).Net.CanRun(Draw(4, 6, 36, 12, 10, 10, 1, hasNorms: true).Tensors[..^1])
            .Should().BeFalse("36 channels are no whole vectors");
        KernelSwitches.ResidualNet = false;
        try { net.CanRun(t).Should().BeFalse(); }
        finally { KernelSwitches.ResidualNet = true; }
    }

    [Theory, InlineData(true, true, 0), InlineData(true, false, 0), InlineData(false, true, 0), InlineData(true, true, 3)]
    public void The_network_gives_the_same_with_and_without_the_kernel(bool hasNorms, bool trains, int context)
    {
        using var scope = NewDisposeScope();
        manual_seed(6);
        using var net = new ResidualConvNet(6, 12, new ResidualConvNetOptions { HiddenChannels = 32, Blocks = 2, BatchNorm = hasNorms,
            Statistics = BatchStatistics.Current, ConcatenatedRelu = true, DoubleInput = true, ContextSize = context });
        using (no_grad()) foreach (var p in net.parameters()) p.normal_(0.05, 0.2);
        net.train(trains);
        Tensor x = randn(16, 6, 8, 8), c = randn(16, 3);
        var start = net.state_dict().ToDictionary(p => p.Key, p => p.Value.clone());
        Tensor[] Run(bool on, ScalarType dtype)
        {
            KernelSwitches.ResidualNet = on;
            try
            {
                net.to(dtype);
                using (no_grad()) foreach (var (name, value) in net.state_dict()) value.copy_(start[name]);
                net.zero_grad();
                var given = context > 0 ? c.to(dtype) : null;
                using (no_grad()) net.call(x.to(dtype), given);
                var y = net.call(x.to(dtype), given);
                y.square().sum().backward();
                return [y.detach(), .. net.parameters().Select(p => p.grad!.clone()),
                    .. net.buffers().Select(b => b.to(float64, copy: true))];
            }
            finally { KernelSwitches.ResidualNet = true; }
        }
        var (fast, plain, exact) = (Run(true, float32), Run(false, float32), Run(false, float64));
        for (var k = 0; k < exact.Length; k++)
            Error(fast[k], exact[k]).Should().BeLessThan(Math.Max(3 * Error(plain[k], exact[k]), 1e-6), "of number {0}", k);
    }

    private static ImageNorm Wide(ImageNorm norm) => norm with { Mean = norm.Mean.to(float64), Variance = norm.Variance.to(float64) };

    // x, the weights, and the gradient of the output
    private static (ResidualNet Net, Tensor[] Tensors) Draw(int n, int i, int c, int o, int h, int w, int blocks, bool hasNorms)
    {
        using var generator = new Generator(5);
        Tensor Random(double size, params long[] shape) => randn(shape, generator: generator).mul(size);
        Tensor[] Conv(int outputs, int inputs, int k, bool hasBias = true) =>
            [Random(1, outputs, inputs, k, k), Random(0.2, outputs, 1, 1, 1).add(0.8), .. hasBias ? new[] { Random(0.3, outputs) } : []];
        Tensor[] Norm() => hasNorms ? [Random(0.3, c).add(1), Random(0.3, c)] : [];
        List<Tensor> all = [Random(1, n, i, h, w), .. Conv(c, i, 3), .. Conv(c, c, 1)];
        for (var block = 0; block < blocks; block++)
            all.AddRange([.. Norm(), .. Conv(c, c, 3, !hasNorms), .. Norm(), .. Conv(c, c, 3), .. Conv(c, c, 1)]);
        all.AddRange([.. Norm(), .. Conv(o, c, 1), Random(1, n, o, h, w)]);
        var form = new ResidualNetForm(blocks, hasNorms);
        form.Count.Should().Be(all.Count - 1);
        var norms = Enumerable.Range(0, form.Norms)
            .Select(_ => new ImageNorm(Random(0.1, c), ones(c), zeros([], ScalarType.Int64), 0.9, 1e-5));
        return (new(form, [.. norms], OfBatch: true, Counts: true), [.. all]);
    }

    // in the root mean square: behind many layers, the largest of a few differences is a matter of luck
    private static double Error(Tensor actual, Tensor expected)
    {
        using var scope = NewDisposeScope();
        double Size(Tensor t) => Math.Sqrt(t.square().mean().item<double>());
        var (a, e) = (actual.to(float64), expected.to(float64));
        // a shift before a normalization has a gradient of 0, of which rounding alone is left, some 1e-6 of what it is a sum of
        return Size(e) < 1e-9 ? 1e-2 * Size(a) : Size(a.sub(e)) / Size(e);
    }
}
