using RealNvp.Kernels;
using RealNvp.Layers;
using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

public class ScaledLinearTests
{
    public static TheoryData<long[]> Shapes => new([16, 12, 16, 16], [16, 48, 4, 4], [1, 1, 1, 1], [3, 5, 7, 3], [2, 13, 1, 33],
        [33, 24, 8, 8], [1, 128, 2, 2], [5, 6, 1, 1], [1, 1], [7, 17], [200, 10], [65, 64], [513, 43], [300, 128]);

    [Theory, MemberData(nameof(Shapes)), LeavesNoTensors]
    public void Values_and_gradients_are_as_close_to_float64_as_those_of_plain_tensors(long[] shape)
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        foreach (var (norm, chain) in Layers(shape))
        {
            using var _ = chain;
            foreach (var layout in new Func<Tensor, Tensor>[] { t => t, t => t.transpose(0, -1).contiguous().transpose(0, -1),
                t => cat([t, t], 1).narrow(1, 0, shape[1]), t => shape.Length > 2 ? ChannelsLast.Of(t) : t })
            {
                var (x, upstream, upstreamLog) = (randn(shape), randn(shape), randn(shape[0]));
                var exact = Results(chain, x, upstream, upstreamLog, kernel: false, float64);
                var plain = Results(chain, x, upstream, upstreamLog, kernel: false, float32);
                var bits = LaneWidth.Bits;
                try
                {
                    foreach (var width in new[] { 512, 256, 128, 0 })
                    {
                        LaneWidth.Bits = width;
                        var fused = Results(chain, layout(x), layout(upstream), upstreamLog, kernel: true, float32);
                        foreach (var name in fused.Keys)
                            Apart(fused[name], exact[name]).Should().BeLessThan(Math.Max(2e-6, 2 * Apart(plain[name], exact[name])),
                                "of {0}, normalized {1}, {2} bits", name, norm, width);
                    }
                }
                finally { LaneWidth.Bits = bits; }
            }
        }
    }

    [Theory, InlineData(new long[] { 5, 24, 3, 5 }), InlineData(new long[] { 50, 24 }), LeavesNoTensors]
    public void The_inverse_undoes_it_and_has_minus_its_log_determinant(long[] shape)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        manual_seed(4);
        foreach (var (norm, chain) in Layers(shape))
        {
            using var __ = chain;
            var x = randn(shape);
            var (z, logDet) = chain.Forward(x);
            var (back, minus) = chain.Inverse(z);
            Apart(back, x).Should().BeLessThan(2e-4, "normalized {0}", norm);
            logDet.add(minus).abs().max().item<float>().Should().BeLessThan(1e-4f);
            var plain = Plainly(() => chain.Inverse(z));
            Apart(back, plain.Value).Should().BeLessThan(2e-5);
            Apart(minus, plain.LogDet).Should().BeLessThan(1e-6);
        }
    }

    [Theory, InlineData(new long[] { 64, 24, 16, 16 }), InlineData(new long[] { 4100, 24 }), LeavesNoTensors]
    public void Results_do_not_depend_on_the_number_of_threads(long[] shape)
    {
        using var scope = NewDisposeScope();
        manual_seed(5);
        var threads = get_num_threads();
        foreach (var (_, chain) in Layers(shape))
        {
            using var __ = chain;
            var (x, upstream, upstreamLog) = (randn(shape), randn(shape), randn(shape[0]));
            try
            {
                set_num_threads(1);
                var one = Results(chain, x, upstream, upstreamLog, kernel: true, float32);
                set_num_threads(2);
                var two = Results(chain, x, upstream, upstreamLog, kernel: true, float32);
                foreach (var name in one.Keys) one[name].eq(two[name]).all().item<bool>().Should().BeTrue("of {0}", name);
            }
            finally { set_num_threads(threads); }
        }
    }

    [Theory, InlineData(new long[] { 2, 3, 4, 4 }), InlineData(new long[] { 20, 3 }), LeavesNoTensors]
    public void Either_output_alone_has_gradients_and_they_have_gradients(long[] shape)
    {
        using var scope = NewDisposeScope();
        manual_seed(6);
        foreach (var (_, chain) in Layers(shape))
        {
            using var __ = chain;
            var x = randn(shape);
            foreach (var (output, inverse) in new[] { (0, false), (1, false), (0, true), (1, true) })
            {
                double[] Norms()
                {
                    var leaf = x.detach().requires_grad_(true);
                    var (z, logDet) = inverse ? chain.Inverse(leaf) : chain.Forward(leaf);
                    List<Tensor> inputs = output == 0 ? [leaf, .. chain.parameters()]
                        : [.. chain.named_parameters().Where(p => !p.name.EndsWith("shift")).Select(p => p.parameter)];
                    var first = autograd.grad([output == 0 ? z.pow(3).sum() : logDet.pow(2).sum()], inputs, retain_graph: true,
                        create_graph: true);
                    var second = autograd.grad([first.Select(g => g.square().sum()).Aggregate((a, b) => a.add(b))], inputs);
                    return [.. first.Concat(second).Select(g => (double)g.square().sum().item<float>())];
                }
                var fused = Norms();
                var plain = Plainly(Norms);
                for (var i = 0; i < fused.Length; i++) fused[i].Should().BeApproximately(plain[i], 1e-3 * plain[i]);
            }
        }
    }

    [Fact, LeavesNoTensors]
    public void A_chain_runs_the_layers_one_by_one_for_who_looks_at_them_and_for_the_first_batch()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        manual_seed(7);
        using var chain = new Chain(new ActNorm([4, 6, 6]), new InvertibleLinearLayer([4, 6, 6]), new ActNorm([4, 6, 6]));
        var x = randn(8, 4, 6, 6).mul(3).add(2);
        chain.Forward(x);
        var norm = (ActNorm)chain.Layers[0];
        norm.IsInitialized.Should().BeTrue();
        var first = norm.Forward(x).Value;
        first.mean([0L, 2, 3]).abs().max().item<float>().Should().BeLessThan(1e-5f);
        var together = chain.Forward(x).Value;
        var seen = new List<string>();
        Tensor apart;
        using (PassState.Observe(call => seen.Add(call.Layer.GetName()))) apart = chain.Forward(x).Value;
        seen.Should().Equal(nameof(ActNorm), nameof(InvertibleLinearLayer), nameof(ActNorm), nameof(Chain));
        Apart(together, apart).Should().BeLessThan(2e-6);
        chain.Forward(x.narrow(0, 0, 0)).Value.shape.Should().Equal(0, 4, 6, 6);
    }

    [Theory, InlineData(new long[] { 2, 4, 2, 2 }), InlineData(new long[] { 2, 4 }), LeavesNoTensors]
    public void Large_and_small_scales_give_what_plain_tensors_give(long[] shape)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var s in new[] { -60f, 60f, float.NaN })
        {
            using var chain = new Chain(new ActNorm(shape[1..]), new InvertibleLinearLayer(shape[1..]));
            chain.eval();
            chain.state_dict().First(p => p.Key.EndsWith("log_scale")).Value.fill_(s);
            var x = randn(shape);
            var (z, logDet) = chain.Forward(x);
            var plain = Plainly(() => chain.Forward(x));
            if (float.IsNaN(s)) (z.isnan().all().item<bool>() && logDet.isnan().all().item<bool>()).Should().BeTrue();
            else
                (Apart(z, plain.Value), Apart(logDet, plain.LogDet)).Should().Match<(double, double)>(d => d.Item1 < 2e-6
                    && d.Item2 < 1e-6);
        }
    }

    [Theory, InlineData(new long[] { 20, 12, 5, 7 }), InlineData(new long[] { 300, 12 }), LeavesNoTensors]
    public void Data_far_from_zero_lose_no_digits(long[] shape)
    {
        using var scope = NewDisposeScope();
        manual_seed(8);
        EventShape one = shape[1..];
        using var chain = new Chain(new ActNorm(one), new InvertibleLinearLayer(one));
        RandomWeights.Draw(chain, 8, spread: 0.1);
        chain.eval();
        // mean 1000 and deviation 0.01, which the ActNorm takes to 0 and 1
        using (no_grad())
        {
            var state = chain.state_dict();
            state.First(p => p.Key.EndsWith("log_scale")).Value.fill_((float)Math.Log(100));
            state.First(p => p.Key.EndsWith("shift")).Value.fill_((float)(-1000 * Math.Exp((float)Math.Log(100))));
        }
        var (x, upstream, upstreamLog) = (randn(shape).mul(0.01).add(1000), randn(shape), randn(shape[0]));
        var exact = Results(chain, x, upstream, upstreamLog, kernel: false, float64);
        var fused = Results(chain, x, upstream, upstreamLog, kernel: true, float32);
        foreach (var name in exact.Keys.Where(name => !name.StartsWith("inverse") && name != "log-det" && name != "gradient of z"))
            Apart(fused[name], exact[name]).Should().BeLessThan(3e-6, "of {0}", name);
    }

    private static IEnumerable<(bool Norm, Chain Chain)> Layers(long[] batch)
    {
        EventShape shape = batch.Length == 2 ? [batch[1]] : [batch[1], -1, -1];
        foreach (var norm in new[] { false, true })
        {
            var linear = new InvertibleLinearLayer(shape);
            var chain = norm ? new Chain(new ActNorm(shape), linear) : new Chain(linear);
            using (no_grad()) foreach (var p in chain.parameters()) p.add_(randn_like(p).mul(0.1));
            chain.eval();
            yield return (norm, chain);
        }
    }

    private static Dictionary<string, Tensor> Results(Chain chain, Tensor x, Tensor upstream, Tensor upstreamLog, bool kernel,
        ScalarType dtype)
    {
        using var _ = KernelSwitch.Set(kernel, nameof(KernelSwitches.Image), nameof(KernelSwitches.Dense));
        chain.to(dtype);
        chain.zero_grad();
        var input = x.to(dtype).detach().requires_grad_(true);
        var (z, logDet) = chain.Forward(input);
        autograd.backward([z, logDet], [upstream.to(dtype), upstreamLog.to(dtype)]);
        var results = new Dictionary<string, Tensor> { ["z"] = z.detach(), ["log-det"] = logDet.detach(), ["gradient of x"] = input.grad! };
        foreach (var (name, parameter) in chain.named_parameters()) results["gradient of " + name] = parameter.grad!.clone();
        chain.zero_grad();
        var latent = x.to(dtype).detach().requires_grad_(true);
        var (inverse, minus) = chain.Inverse(latent);
        autograd.backward([inverse, minus], [upstream.to(dtype), upstreamLog.to(dtype)]);
        (results["inverse"], results["inverse log-det"], results["gradient of z"]) = (inverse.detach(), minus.detach(), latent.grad!);
        foreach (var (name, parameter) in chain.named_parameters()) results["inverse gradient of " + name] = parameter.grad!.clone();
        using (no_grad())
        {
            var (same, log) = chain.Inverse(x.to(dtype));
            Apart(same, inverse.detach()).Should().BeLessThan(1e-12);
            Apart(log, minus.detach()).Should().BeLessThan(1e-12);
        }
        chain.zero_grad();
        chain.to(float32);
        return results;
    }

    private static T Plainly<T>(Func<T> run)
    {
        using var _ = KernelSwitch.Set(false, nameof(KernelSwitches.Image), nameof(KernelSwitches.Dense));
        return run();
    }

    private static double Apart(Tensor a, Tensor b)
    {
        a.shape.Should().Equal(b.shape);
        var difference = a.to(float64).sub(b.to(float64)).abs().max().item<double>();
        return difference / Math.Max(1e-6, b.to(float64).abs().max().item<double>());
    }
}
