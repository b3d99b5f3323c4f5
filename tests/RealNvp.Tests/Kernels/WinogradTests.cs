using RealNvp.Kernels;
using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

[LeavesNoTensors]
public class WinogradTests
{
    private delegate Tensor Convolution(Tensor input, Tensor weight, Tensor? bias, float border);

    [Theory, MemberData(nameof(Shapes))]
    public void Outputs_and_gradients_are_as_close_to_float64_as_those_of_a_direct_convolution(int n, int c, int k, int h, int w, int lanes)
    {
        using var scope = NewDisposeScope();
        using var _ = Lanes(lanes);
        var tensors = Draw(n, c, k, h, w);
        foreach (var border in new[] { 0f, 1f })
        {
            var exact = Gradients(ImageConvolution.Reference, tensors, border, float64);
            var direct = Gradients(ImageConvolution.Reference, tensors, border, float32);
            var fast = Gradients(ImageConvolution.Fast, tensors, border, float32);
            for (var i = 0; i < exact.Length; i++)
                KernelResults.ApartOfMeanSquare(fast[i], exact[i]).Should().BeLessThan(Math.Max(2
                    * KernelResults.ApartOfMeanSquare(direct[i], exact[i]), 1e-6), "of {0}, border {1}", names[i], border);
        }
    }

    private static readonly string[] names = ["output", "gradient of the input", "gradient of the weight", "gradient of the bias"];

    public static TheoryData<int, int, int, int, int, int> Shapes()
    {
        var data = new TheoryData<int, int, int, int, int, int>();
        foreach (var lanes in new[] { 8, 16 })
        {
            data.Add(2, 32, 48, 9, 12, lanes);
            data.Add(1, 20, 17, 7, 5, lanes);
            data.Add(3, 8, 9, 3, 1, lanes);
            data.Add(2, 16, 16, 1, 1, lanes);
            data.Add(5, 16, 20, 2, 2, lanes);
            data.Add(1, 33, 12, 1, 6, lanes);
            data.Add(9, 64, 64, 10, 11, lanes);
            data.Add(4, 130, 16, 8, 8, lanes);
        }
        return data;
    }

    [Theory, InlineData(16, 32, 40, 16, 16), InlineData(1, 16, 16, 31, 33)]
    public void The_result_is_the_same_to_the_bit_for_any_number_of_threads(int n, int c, int k, int h, int w)
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(n, c, k, h, w);
        var before = get_num_threads();
        try
        {
            set_num_threads(1);
            var one = Gradients(ImageConvolution.Fast, tensors, 0, float32);
            set_num_threads(2);
            var two = Gradients(ImageConvolution.Fast, tensors, 0, float32);
            for (var i = 0; i < one.Length; i++) KernelResults.Same(one[i], two[i]).Should().BeTrue("of {0}", names[i]);
        }
        finally { set_num_threads(before); }
    }

    [Fact]
    public void Several_threads_may_convolve_at_once_with_and_without_gradients()
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(4, 16, 24, 12, 12);
        float[][] Once()
        {
            using var inner = NewDisposeScope();
            using var plain = no_grad();
            var still = Numbers(ImageConvolution.Fast(tensors[0], tensors[1], tensors[2], 0));
            using var on = enable_grad();
            return [still, .. Gradients(ImageConvolution.Fast, tensors, 0, float32).Select(Numbers)];
        }
        var alone = Once();
        var together = new List<float[]>[4];
        var threads = Enumerable.Range(0, 4)
            .Select(t => new Thread(() => together[t] = [.. Enumerable.Range(0, 20).SelectMany(_ => Once())])).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        foreach (var results in together)
            for (var i = 0; i < results.Count; i++) results[i].AsSpan().SequenceEqual(alone[i % alone.Length]).Should().BeTrue();
    }

    [Theory, InlineData(float.NaN), InlineData(float.PositiveInfinity)]
    public void What_is_not_finite_reaches_the_outputs_that_it_reaches_directly(float value)
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(2, 16, 16, 7, 8);
        for (var at = 0; at < 56; at++)
        {
            using var inner = NewDisposeScope();
            var input = tensors[0].clone();
            input[1, 3, at / 8, at % 8] = value;
            var fast = ImageConvolution.Fast(input, tensors[1], tensors[2], 0).isfinite();
            KernelResults.Same(fast, ImageConvolution.Reference(input, tensors[1], tensors[2], 0).isfinite()).Should().BeTrue();
        }
    }

    [Fact]
    public void Large_numbers_stay_finite()
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(2, 64, 64, 8, 8).Select(t => t.mul(10)).ToArray();
        tensors[0] = tensors[0].mul(1e29);
        var exact = Gradients(ImageConvolution.Reference, tensors, 0, float64);
        var fast = Gradients(ImageConvolution.Fast, tensors, 0, float32);
        for (var i = 0; i < exact.Length; i++)
            KernelResults.ApartOfMeanSquare(fast[i], exact[i]).Should().BeLessThan(1e-5, "of {0}", names[i]);
    }

    [Fact]
    public void Any_layout_of_input_weight_and_gradient_will_do()
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(2, 16, 20, 6, 10);
        var expected = Gradients(ImageConvolution.Reference, tensors, 0, float64);
        Func<Tensor, Tensor>[] layouts = [t => t, ChannelsLast.Of, t => t.transpose(2, 3).contiguous().transpose(2, 3),
            t => t.permute(1, 0, 2, 3).contiguous().permute(1, 0, 2, 3)];
        foreach (var image in layouts)
            foreach (var kernel in layouts)
            {
                var actual = Gradients(ImageConvolution.Fast, [image(tensors[0]), kernel(tensors[1]), tensors[2], image(tensors[3])], 0,
                    float32);
                for (var i = 0; i < expected.Length; i++)
                    KernelResults.ApartOfMeanSquare(actual[i], expected[i]).Should().BeLessThan(5e-6, "of {0}", names[i]);
            }
        var repeated = tensors[0].narrow(2, 0, 1).expand(2, 16, 6, 10);
        KernelResults.ApartOfMeanSquare(ImageConvolution.Fast(repeated, tensors[1], null, 0),
            ImageConvolution.Reference(repeated, tensors[1], null, 0)).Should().BeLessThan(5e-6);
    }

    [Theory, InlineData(0), InlineData(1), InlineData(2)]
    public void Only_what_asks_for_a_gradient_gets_one(int wanted)
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(2, 16, 20, 6, 10);
        var expected = Gradients(ImageConvolution.Reference, tensors, 1, float64)[1 + wanted];
        var leaves = tensors.Take(3).Select((t, i) => t.detach().requires_grad_(i == wanted)).ToArray();
        autograd.backward([ImageConvolution.Fast(leaves[0], leaves[1], leaves[2], 1)], [tensors[3]]);
        KernelResults.ApartOfMeanSquare(leaves[wanted].grad!, expected).Should().BeLessThan(5e-6);
        leaves.Count(l => l.grad is not null).Should().Be(1);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Gradients_have_gradients(bool hasBias)
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(2, 16, 20, 5, 6);
        Tensor[] Second(Convolution convolution)
        {
            var leaves = tensors.Take(hasBias ? 3 : 2).Select(t => t.detach().requires_grad_(true)).ToArray();
            var y = convolution(leaves[0], leaves[1], leaves.ElementAtOrDefault(2), 1);
            var first = autograd.grad([y.pow(3).sum()], leaves, retain_graph: true, create_graph: true);
            first.Select(g => g.square().sum()).Aggregate((a, b) => a.add(b)).backward();
            return [.. leaves.Select(l => l.grad!)];
        }
        foreach (var (fast, plain) in Second(ImageConvolution.Fast).Zip(Second(ImageConvolution.Reference)))
            KernelResults.ApartOfMeanSquare(fast, plain).Should().BeLessThan(2e-5);
    }

    [Fact]
    public void What_the_kernel_does_not_take_goes_to_the_direct_convolution()
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(16, 32, 32, 16, 16);
        var (x, w, b) = (tensors[0], tensors[1], tensors[2]);
        ImageConvolution.CanRun(x, w, b).Should().BeTrue();
        KernelResults.Same(ImageConvolution.Apply(x, w, b), ImageConvolution.Fast(x, w, b, 0)).Should().BeTrue();

        ImageConvolution.CanRun(x.to(float64), w.to(float64), b.to(float64)).Should().BeFalse();
        ImageConvolution.Apply(x.narrow(0, 0, 0), w, b).shape.Should().Equal(0, 32, 16, 16);
        ImageConvolution.CanRun(x.narrow(1, 0, 4), w.narrow(1, 0, 4), b).Should().BeFalse();
        var mismatch = () => ImageConvolution.Apply(x, w.narrow(1, 0, 16), b);
        mismatch.Should().Throw<System.Runtime.InteropServices.ExternalException>();
        KernelSwitches.Winograd = false;
        try { KernelResults.Same(ImageConvolution.Apply(x, w, b), nn.functional.conv2d(x, w, b, padding: [1, 1])).Should().BeTrue(); }
        finally { KernelSwitches.Winograd = true; }
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Networks_give_the_same_with_and_without_the_kernel(bool glow)
    {
        using var scope = NewDisposeScope();
        manual_seed(6);
        using Conditioner net = glow ? new GlowConvNet(12, 24, 32)
            : new ResidualConvNet(6, 12, new ResidualConvNetOptions { HiddenChannels = 32, Blocks = 2, BatchNorm = true });
        using (no_grad()) foreach (var p in net.parameters()) p.normal_(0.05, 0.2);
        var x = randn(16, glow ? 12 : 6, 8, 8);
        Tensor[] Run(bool on, ScalarType dtype)
        {
            KernelSwitches.Winograd = on;
            try
            {
                net.to(dtype);
                net.zero_grad();
                var y = net.call(x.to(dtype), null);
                y.square().sum().backward();
                return [y.detach(), .. net.parameters().Select(p => p.grad!.clone())];
            }
            finally { KernelSwitches.Winograd = true; }
        }
        var (fast, direct) = (Run(true, float32), Run(false, float32));
        var exact = Run(false, float64);
        for (var i = 0; i < exact.Length; i++)
            KernelResults.ApartOfMeanSquare(fast[i], exact[i]).Should()
                .BeLessThan(Math.Max(3 * KernelResults.ApartOfMeanSquare(direct[i], exact[i]), 1e-5));
    }

    // input, weight, bias, gradient of the output
    private static Tensor[] Draw(int n, int c, int k, int h, int w)
    {
        using var generator = new Generator(5);
        return [randn([n, c, h, w], generator: generator), randn([k, c, 3, 3], generator: generator), randn([k], generator: generator),
            randn([n, k, h, w], generator: generator)];
    }

    private static Tensor[] Gradients(Convolution convolution, Tensor[] tensors, float border, ScalarType dtype)
    {
        var leaves = tensors.Take(3).Select(t => t.to(dtype).detach().requires_grad_(true)).ToArray();
        var y = convolution(leaves[0], leaves[1], leaves[2], border);
        autograd.backward([y], [tensors[3].to(dtype)]);
        return [y.detach(), .. leaves.Select(l => l.grad!)];
    }

    private static float[] Numbers(Tensor tensor) => tensor.contiguous().data<float>().ToArray();

    private static RestoredLanes Lanes(int count)
    {
        var before = new RestoredLanes(LaneWidth.Bits);
        LaneWidth.Bits = 32 * count;
        return before;
    }

    private sealed class RestoredLanes(int before) : IDisposable
    {
        public void Dispose() => LaneWidth.Bits = before;
    }
}
