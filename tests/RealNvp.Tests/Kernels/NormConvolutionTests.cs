using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

[LeavesNoTensors]
public class NormConvolutionTests
{
    private const double Eps = 1e-5;
    private static readonly string[] names = ["output", "x", "scale", "shift", "weight", "bias"];

    [Theory, InlineData(6, 32, 32, 9, 12, true), InlineData(3, 40, 33, 16, 16, false), InlineData(16, 8, 128, 8, 8, true)]
    public void Outputs_and_gradients_are_as_close_to_float64_as_those_of_plain_operations(int n, int c, int k, int h, int w, bool hasBias)
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(n, c, k, h, w, hasBias);
        NormConvolution.CanRun(tensors[0], tensors[1], tensors[2], tensors[3], hasBias ? tensors[4] : null).Should().BeTrue();
        var exact = KernelResults.Gradients(Plain, tensors, float64);
        var plain = KernelResults.Gradients(Plain, tensors, float32);
        var fast = KernelResults.Gradients(Fast, tensors, float32);
        for (var i = 0; i < exact.Length; i++)
            Apart(fast[i], exact[i]).Should().BeLessThan(Math.Max(2 * Apart(plain[i], exact[i]), 2e-6), "of {0}", names[i]);
    }

    [Fact]
    public void It_is_to_the_bit_the_normalization_and_the_convolution_one_after_the_other()
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(6, 16, 24, 10, 10, true);
        var one = KernelResults.Gradients(Fast, tensors, float32);
        var two = KernelResults.Gradients(t => ImageConvolution.Fast(NormReluFunction.Apply(t[0], t[1], t[2], Eps)[0], t[3], t[4], 0),
            tensors, float32);
        for (var i = 0; i < one.Length; i++) KernelResults.Same(one[i], two[i]).Should().BeTrue("of {0}", names[i]);
    }

    [Fact]
    public void The_result_is_the_same_to_the_bit_for_any_number_of_threads()
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(16, 32, 32, 16, 16, true);
        var before = get_num_threads();
        try
        {
            set_num_threads(1);
            var one = KernelResults.Gradients(Fast, tensors, float32);
            set_num_threads(2);
            var two = KernelResults.Gradients(Fast, tensors, float32);
            for (var i = 0; i < one.Length; i++) KernelResults.Same(one[i], two[i]).Should().BeTrue("of {0}", names[i]);
        }
        finally { set_num_threads(before); }
    }

    [Fact]
    public void Gradients_have_gradients()
    {
        using var scope = NewDisposeScope();
        var tensors = Draw(6, 8, 8, 8, 8, true);
        Tensor[] Second(Func<IReadOnlyList<Tensor>, Tensor> map)
        {
            var leaves = tensors[..^1].Select(t => t.detach().requires_grad_(true)).ToArray();
            var first = autograd.grad([map(leaves).pow(3).sum()], leaves, retain_graph: true, create_graph: true);
            first.Select(g => g.square().mean()).Aggregate((a, b) => a.add(b)).backward();
            return [.. leaves.Select(l => l.grad!)];
        }
        foreach (var (fast, plain) in Second(Fast).Zip(Second(Plain))) Apart(fast, plain).Should().BeLessThan(1e-4);
    }

    [Fact]
    public void A_residual_network_is_as_exact_as_with_plain_convolutions_and_counts_a_batch_once()
    {
        using var scope = NewDisposeScope();
        manual_seed(6);
        using var net = new ResidualConvNet(6, 12, new ResidualConvNetOptions { HiddenChannels = 32, Blocks = 2, BatchNorm = true,
            Statistics = BatchStatistics.Current });
        using (no_grad()) foreach (var p in net.parameters()) p.normal_(0.05, 0.2);
        var x = randn(16, 6, 8, 8);
        var start = net.state_dict().ToDictionary(p => p.Key, p => p.Value.clone());
        Tensor[] Run(bool image, bool on, ScalarType dtype)
        {
            (KernelSwitches.Image, KernelSwitches.Winograd) = (image, on);
            try
            {
                net.to(dtype);
                using (no_grad()) foreach (var (name, value) in net.state_dict()) value.copy_(start[name]);
                net.zero_grad();
                var y = net.call(x.to(dtype), null);
                y.square().sum().backward();
                return [y.detach(), .. net.parameters().Select(p => p.grad!.clone()),
                    .. net.buffers().Select(b => b.to(float64, copy: true))];
            }
            finally { (KernelSwitches.Image, KernelSwitches.Winograd) = (true, true); }
        }
        var (fast, plain, exact) = (Run(true, true, float32), Run(true, false, float32), Run(false, false, float64));
        for (var i = 0; i < exact.Length; i++)
            Error(fast[i], exact[i]).Should().BeLessThan(Math.Max(3 * Error(plain[i], exact[i]), 1e-6), "of number {0}", i);
    }

    private static Tensor Fast(IReadOnlyList<Tensor> t) => NormConvolution.Apply(t[0], t[1], t[2], Eps, t[3], t.ElementAtOrDefault(4))[0];

    private static Tensor Plain(IReadOnlyList<Tensor> t) => NormConvolution.Reference(t, Eps);

    // x, scale, shift, weight, bias where there is one, and the gradient of the output
    private static Tensor[] Draw(int n, int c, int k, int h, int w, bool hasBias)
    {
        using var generator = new Generator(5);
        Tensor Random(params long[] shape) => randn(shape, generator: generator);
        Tensor[] all = [ChannelsLast.Of(Random(n, c, h, w).mul(2).add(3)), Random(c).mul(0.3).add(1), Random(c).mul(0.3),
            Random(k, c, 3, 3).div(Math.Sqrt(9 * c))];
        return [.. all, .. hasBias ? new[] { Random(k) } : [], Random(n, k, h, w)];
    }

    private static double Apart(Tensor actual, Tensor expected) => KernelResults.ApartOfMeanSquare(actual, expected, 1e-30);

    // in the root mean square: behind many layers, the largest of a few differences is a matter of luck
    private static double Error(Tensor actual, Tensor expected)
    {
        using var scope = NewDisposeScope();
        var e = expected.to(float64);
        return Math.Sqrt(actual.to(float64).sub(e).square().mean().item<double>() / Math.Max(e.square().mean().item<double>(), 1e-60));
    }
}
