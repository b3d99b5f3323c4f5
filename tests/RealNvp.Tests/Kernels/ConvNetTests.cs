using RealNvp.Kernels;
using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

[LeavesNoTensors]
public class ConvNetTests
{
    private static readonly string[] names = ["output", "x", "first weight", "first bias", "second weight", "second bias", "last weight",
        "last bias", "scale"];

    public static TheoryData<int, int, int, int, int, int, int> Shapes()
    {
        var data = new TheoryData<int, int, int, int, int, int, int>();
        foreach (var lanes in new[] { 8, 16 })
        {
            data.Add(16, 6, 32, 12, 16, 16, lanes);
            data.Add(3, 1, 16, 17, 5, 7, lanes);
            data.Add(2, 12, 40, 24, 8, 8, lanes);
            data.Add(5, 3, 8, 8, 1, 1, lanes);
            data.Add(1, 24, 48, 48, 4, 4, lanes);
            data.Add(2, 2, 24, 9, 1, 9, lanes);
            data.Add(1, 9, 64, 20, 30, 31, lanes);
        }
        return data;
    }

    [Theory, MemberData(nameof(Shapes))]
    public void Outputs_and_gradients_are_as_close_to_float64_as_those_of_plain_operations(int n, int i, int m, int o, int h, int w,
        int lanes)
    {
        using var scope = NewDisposeScope();
        var before = LaneWidth.Bits;
        try
        {
            LaneWidth.Bits = 32 * lanes;
            var tensors = Draw(n, i, m, o, h, w);
            ConvNet.CanRun(tensors[..^1]).Should().BeTrue();
            var exact = KernelResults.Gradients(ConvNet.Reference, tensors, float64);
            var plain = KernelResults.Gradients(ConvNet.Reference, tensors, float32);
            var fast = KernelResults.Gradients(t => ConvNet.Run([.. t]), tensors, float32);
            for (var k = 0; k < exact.Length; k++)
                KernelResults.ApartOfMeanSquare(fast[k], exact[k]).Should()
                    .BeLessThan(Math.Max(2 * KernelResults.ApartOfMeanSquare(plain[k], exact[k]), 1e-6), "of {0}", names[k]);
            using (no_grad())
                KernelResults.Same(ConvNet.Run(tensors[..^1]), fast[0]).Should().BeTrue("an output does not depend on who wants gradients");
        }
        finally { LaneWidth.Bits = before; }
    }

    [Theory, InlineData(16, 6, 32, 12, 16, 16), InlineData(1, 5, 16, 16, 31, 33), InlineData(16, 24, 128, 48, 4, 4)]
    public void The_result_is_the_same_to_the_bit_for_any_number_of_threads(int n, int i, int m, int o, int h, int w)
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(n, i, m, o, h, w);
        var before = get_num_threads();
        try
        {
            set_num_threads(1);
            var one = KernelResults.Gradients(t => ConvNet.Run([.. t]), tensors, float32);
            set_num_threads(2);
            var two = KernelResults.Gradients(t => ConvNet.Run([.. t]), tensors, float32);
            for (var k = 0; k < one.Length; k++) KernelResults.Same(one[k], two[k]).Should().BeTrue("of {0}", names[k]);
        }
        finally { set_num_threads(before); }
    }

    [Theory, InlineData(5.5f), InlineData(-5.5f), InlineData(5f)]
    public void A_scale_beyond_its_limit_acts_as_if_it_were_at_it(float scale)
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(2, 4, 16, 8, 6, 6);
        tensors[7] = full_like(tensors[7], scale);
        var exact = KernelResults.Gradients(ConvNet.Reference, tensors, float64);
        var fast = KernelResults.Gradients(t => ConvNet.Run([.. t]), tensors, float32);
        for (var k = 0; k < exact.Length - 1; k++)
            KernelResults.ApartOfMeanSquare(fast[k], exact[k]).Should().BeLessThan(1e-5, "of {0}", names[k]);
        if (Math.Abs(scale) > 5) fast[^1].count_nonzero().item<long>().Should().Be(0);
        else KernelResults.ApartOfMeanSquare(fast[^1], exact[^1]).Should().BeLessThan(1e-5);
    }

    [Theory, InlineData(float.NaN), InlineData(float.PositiveInfinity)]
    public void What_is_not_finite_reaches_the_outputs_that_it_reaches_in_plain_operations(float value)
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(2, 4, 16, 8, 7, 8);
        for (var at = 0; at < 56; at += 5)
        {
            using var inner = NewDisposeScope();
            var inputs = tensors[..^1];
            inputs[0] = inputs[0].clone();
            inputs[0][1, 3, at / 8, at % 8] = value;
            KernelResults.Same(ConvNet.Run(inputs).isfinite(), ConvNet.Reference(inputs).isfinite()).Should().BeTrue();
        }
    }

    [Fact]
    public void Images_may_lie_in_memory_as_they_like()
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(3, 6, 16, 12, 8, 10);
        var expected = KernelResults.Gradients(t => ConvNet.Run([.. t]), tensors, float32);
        var twice = cat([tensors[0], tensors[0]], 1);
        foreach (var image in new[] { twice.narrow(1, 6, 6), ChannelsLast.Of(tensors[0]),
            tensors[0].transpose(2, 3).contiguous().transpose(2, 3) })
        {
            var inputs = tensors.ToArray();
            inputs[0] = image;
            inputs[^1] = ChannelsLast.Of(inputs[^1]);
            var actual = KernelResults.Gradients(t => ConvNet.Run([.. t]), inputs, float32);
            for (var k = 0; k < expected.Length; k++) KernelResults.Same(actual[k], expected[k]).Should().BeTrue("of {0}", names[k]);
        }
    }

    [Theory, InlineData(0), InlineData(1), InlineData(6), InlineData(7)]
    public void Only_what_asks_for_a_gradient_gets_one(int wanted)
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(2, 4, 16, 8, 6, 10);
        var expected = KernelResults.Gradients(ConvNet.Reference, tensors, float64)[1 + wanted];
        var leaves = tensors[..^1].Select((t, i) => t.detach().requires_grad_(i == wanted)).ToArray();
        autograd.backward([ConvNet.Run(leaves)], [tensors[^1]]);
        KernelResults.ApartOfMeanSquare(leaves[wanted].grad!, expected).Should().BeLessThan(5e-6);
        leaves.Count(l => l.grad is not null).Should().Be(1);
    }

    [Fact]
    public void Weights_get_the_bits_that_autograd_would_give_them()
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(3, 6, 16, 12, 8, 10);
        var taken = KernelResults.Gradients(t => ConvNet.Run([.. t]), tensors, float32);
        using var _ = KernelSwitch.Set(false, nameof(KernelSwitches.Leaves));
        var given = KernelResults.Gradients(t => ConvNet.Run([.. t]), tensors, float32);
        for (var k = 0; k < given.Length; k++) KernelResults.Same(taken[k], given[k]).Should().BeTrue("of {0}", names[k]);
    }

    [Fact]
    public void Gradients_have_gradients()
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(2, 3, 8, 8, 4, 5);
        Tensor[] Second(Func<IReadOnlyList<Tensor>, Tensor> network)
        {
            var leaves = tensors[..^1].Select(t => t.detach().requires_grad_(true)).ToArray();
            var first = autograd.grad([network(leaves).pow(3).sum()], leaves, retain_graph: true, create_graph: true);
            first.Select(g => g.square().sum()).Aggregate((a, b) => a.add(b)).backward();
            return [.. leaves.Select(l => l.grad!)];
        }
        foreach (var (fast, plain) in Second(t => ConvNet.Run([.. t])).Zip(Second(ConvNet.Reference)))
            KernelResults.ApartOfMeanSquare(fast, plain).Should().BeLessThan(5e-5);
    }

    [Fact]
    public void What_the_kernel_does_not_take_goes_to_plain_operations()
    {
        using var scope = NewDisposeScope();
        var t = Draw(2, 6, 16, 12, 4, 4)[..^1];
        ConvNet.CanRun(t).Should().BeTrue();
        ConvNet.CanRun([.. t.Select(p => p.to(float64))]).Should().BeFalse();
        ConvNet.CanRun([t[0].narrow(0, 0, 0), .. t[1..]]).Should().BeFalse();
        ConvNet.CanRun([t[0].narrow(1, 0, 5), .. t[1..]]).Should().BeFalse();
        ConvNet.CanRun(Draw(2, 6, 12, 12, 4, 4)[..^1]).Should().BeFalse("12 channels are no whole vectors");
        ConvNet.CanRun(Draw(2, 6, 16, 6, 4, 4)[..^1]).Should().BeFalse("6 outputs are less than a vector");
        KernelSwitches.ConvNet = false;
        try { ConvNet.CanRun(t).Should().BeFalse(); }
        finally { KernelSwitches.ConvNet = true; }
    }

    [Theory, InlineData(0), InlineData(3)]
    public void The_network_gives_the_same_with_and_without_the_kernel(int context)
    {
        using var scope = NewDisposeScope();
        manual_seed(6);
        using var net = new GlowConvNet(12, 24, 32, context);
        using (no_grad()) foreach (var p in net.parameters()) p.normal_(0.05, 0.2);
        Tensor x = randn(16, 12, 8, 8), c = randn(16, 3);
        Tensor[] Run(bool on, ScalarType dtype)
        {
            KernelSwitches.ConvNet = on;
            try
            {
                net.to(dtype);
                net.zero_grad();
                var y = net.call(x.to(dtype), context > 0 ? c.to(dtype) : null);
                y.square().sum().backward();
                return [y.detach(), .. net.parameters().Select(p => p.grad!.clone())];
            }
            finally { KernelSwitches.ConvNet = true; }
        }
        var (fast, direct, exact) = (Run(true, float32), Run(false, float32), Run(false, float64));
        for (var i = 0; i < exact.Length; i++)
            KernelResults.ApartOfMeanSquare(fast[i], exact[i]).Should()
                .BeLessThan(Math.Max(3 * KernelResults.ApartOfMeanSquare(direct[i], exact[i]), 1e-5));
    }

    // x, the weights, and the gradient of the output
    private static Tensor[] Draw(int n, int i, int m, int o, int h, int w)
    {
        using var generator = new Generator(5);
        Tensor Random(double size, params long[] shape) => randn(shape, generator: generator).mul(size);
        return
        [
            Random(1, n, i, h, w), Random(0.5 / Math.Sqrt(i), m, i, 3, 3), Random(0.5, m), Random(1 / Math.Sqrt(m), m, m, 1, 1),
                Random(0.5, m),
            Random(0.5 / Math.Sqrt(m), o, m, 3, 3), Random(0.5, o), Random(0.3, 1, o, 1, 1), Random(1, n, o, h, w),
        ];
    }
}
