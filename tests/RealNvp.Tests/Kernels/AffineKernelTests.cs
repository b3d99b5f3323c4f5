using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

public class AffineKernelTests
{
    private static readonly long[][] Shapes = [[512, 21], [1, 1], [3, 16], [2, 17], [5, 300], [2, 3, 4, 4], [1, 6, 1, 5], [3, 2, 17, 1],
        [4, 5, 20, 20]];

    public static TheoryData<string, bool, int> Cases()
    {
        var cases = new TheoryData<string, bool, int>();
        foreach (var kind in new[] { "tanh, scale first", "tanh, shift first", "sigmoid" })
            foreach (var inverse in new[] { false, true })
                for (var shape = 0; shape < Shapes.Length; shape++) cases.Add(kind, inverse, shape);
        return cases;
    }

    [Theory, MemberData(nameof(Cases)), LeavesNoTensors]
    public void The_kernel_agrees_with_plain_tensors_and_with_float64(string kind, bool inverse, int shape)
    {
        using var scope = NewDisposeScope();
        manual_seed(shape);
        var size = Shapes[shape];
        var x = randn(size);
        var parameters = randn([size[0], 2 * size[1], .. size.Skip(2)]).mul(2);
        AgreesEverywhere(kind, inverse, x, parameters);
    }

    [Theory, InlineData("tanh, scale first"), InlineData("tanh, shift first"), InlineData("sigmoid"), LeavesNoTensors]
    public void Layouts_of_all_kinds_give_the_same(string kind)
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        var x = randn(3, 10, 6, 8).narrow(1, 2, 5);
        var parameters = ChannelsLast.Of(randn(3, 10, 6, 8));
        AgreesEverywhere(kind, inverse: false, x, parameters);
        AgreesEverywhere(kind, inverse: true, ChannelsLast.Of(x), randn(10, 3, 6, 8).permute(1, 0, 2, 3));
        AgreesEverywhere(kind, inverse: false, randn(7, 4).t(), randn(8, 7 * 2)[.., ..14].t()[..4].repeat(1, 2)[.., ..14]);
    }

    [Theory, InlineData(1e-30f), InlineData(1e-4f), InlineData(0.6249f), InlineData(0.6251f), InlineData(8f), InlineData(90f),
        InlineData(1e30f)]
    [LeavesNoTensors]
    public void Small_and_large_raw_scales_keep_their_accuracy(float raw)
    {
        using var scope = NewDisposeScope();
        foreach (var kind in new[] { "tanh, scale first", "sigmoid" })
            foreach (var sign in new[] { 1, -1 })
            {
                var x = ones(2, 20);
                var parameters = cat([full([2, 20], sign * raw, dtype: float32), zeros(2, 20)], 1);
                AgreesEverywhere(kind, inverse: false, x, parameters);
            }
    }

    [Fact, LeavesNoTensors]
    public void Zero_parameters_are_the_identity_to_the_last_bit()
    {
        using var scope = NewDisposeScope();
        foreach (var kind in new[] { "tanh, scale first", "tanh, shift first" })
        {
            using var map = Make(kind, [21]);
            var x = randn(33, 21);
            foreach (var inverse in new[] { false, true })
            {
                var (y, logDet) = map.Transform(x, zeros(33, 42), inverse);
                y.eq(x).all().item<bool>().Should().BeTrue();
                logDet!.eq(0).all().item<bool>().Should().BeTrue();
            }
        }
    }

    [Fact, LeavesNoTensors]
    public void Results_do_not_depend_on_the_number_of_threads()
    {
        using var scope = NewDisposeScope();
        using var map = Make("tanh, scale first", [43]);
        var (x, parameters) = (randn(3000, 43), randn(3000, 86));
        var threads = get_num_threads();
        var results = new List<(Tensor Y, Tensor LogDet, Tensor Gradient)>();
        try
        {
            foreach (var count in new[] { 1, 2, 3 })
            {
                set_num_threads(count);
                var leaf = parameters.detach().requires_grad_(true);
                var (y, logDet) = map.Transform(x, leaf, inverse: false);
                y.mul(x).sum().add(logDet!.sum()).backward();
                results.Add((y.detach(), logDet.detach(), leaf.grad!));
            }
        }
        finally { set_num_threads(threads); }
        foreach (var result in results.Skip(1))
        {
            result.Y.eq(results[0].Y).all().item<bool>().Should().BeTrue();
            result.LogDet.eq(results[0].LogDet).all().item<bool>().Should().BeTrue();
            result.Gradient.eq(results[0].Gradient).all().item<bool>().Should().BeTrue();
        }
    }

    [Fact, LeavesNoTensors]
    public void Nan_stays_nan_and_an_empty_batch_stays_empty()
    {
        using var scope = NewDisposeScope();
        foreach (var kind in new[] { "tanh, scale first", "sigmoid" })
        {
            using var map = Make(kind, [4]);
            var (y, logDet) = map.Transform(ones(2, 4), full([2, 8], float.NaN, dtype: float32), inverse: false);
            y.isnan().all().item<bool>().Should().BeTrue();
            logDet!.isnan().all().item<bool>().Should().BeTrue();
            map.Transform(zeros(0, 4), zeros(0, 8), inverse: false).Value.shape.Should().Equal(0, 4);
        }
    }

    [Theory, InlineData("tanh, scale first"), InlineData("sigmoid"), LeavesNoTensors]
    public void Gradients_have_gradients(string kind)
    {
        using var scope = NewDisposeScope();
        manual_seed(5);
        using var map = Make(kind, [6]);
        var (x, parameters) = (randn(4, 6), randn(4, 12));
        Tensor Second(bool kernel)
        {
            using var _ = KernelSwitch.Set(kernel, nameof(KernelSwitches.Affine));
            var leaf = parameters.detach().requires_grad_(true);
            var (y, logDet) = map.Transform(x, leaf, inverse: false);
            var first = autograd.grad([y.mul(y).sum().add(logDet!.mul(logDet).sum())], [leaf], retain_graph: true, create_graph: true)[0];
            return autograd.grad([first.mul(first).sum()], [leaf])[0];
        }
        KernelResults.ApartOfLargest(Second(true), Second(false)).Should().BeLessThan(1e-5);
    }

    [Fact, LeavesNoTensors]
    public void A_loss_of_one_output_alone_has_its_gradient()
    {
        using var scope = NewDisposeScope();
        using var map = Make("tanh, scale first", [6]);
        var leaf = randn(4, 12).requires_grad_(true);
        Tensor logDet;
        using (var inner = NewDisposeScope())
            logDet = inner.MoveToOuter(map.Transform(ones(4, 6), leaf, inverse: false).LogDet!);
        logDet.sum().backward();
        var tanh = leaf.detach().narrow(1, 0, 6).tanh();
        var scale = map.parameters().Single().detach();
        KernelResults.ApartOfLargest(leaf.grad!.narrow(1, 0, 6), tanh.mul(tanh).neg().add(1).mul(scale)).Should().BeLessThan(1e-6);
        leaf.grad!.narrow(1, 6, 6).eq(0).all().item<bool>().Should().BeTrue();
    }

    private static void AgreesEverywhere(string kind, bool inverse, Tensor x, Tensor parameters)
    {
        using var map = Make(kind, x.dim() == 2 ? [x.shape[1]] : [x.shape[1], 1, 1]);
        ElementwiseOperation.CanRun(map.Map!, x, parameters).Should().BeTrue("the kernel is what this test is about");
        var exact = Results(map, x, parameters, inverse, kernel: false, float64);
        var plain = Results(map, x, parameters, inverse, kernel: false, float32);
        var fused = Results(map, x, parameters, inverse, kernel: true, float32);
        foreach (var (name, value) in fused)
        {
            value.shape.Should().Equal(exact[name].shape);
            var error = KernelResults.ApartOfLargest(value, exact[name]);
            error.Should().BeLessThan(Math.Max(2e-6, 2 * KernelResults.ApartOfLargest(plain[name], exact[name])), "of {0}", name);
        }
    }

    private static Dictionary<string, Tensor> Results(ScalarTransformer map, Tensor x, Tensor parameters, bool inverse, bool kernel,
        ScalarType dtype)
    {
        using var _ = KernelSwitch.Set(kernel, nameof(KernelSwitches.Affine));
        map.to(dtype);
        map.zero_grad();
        var (leaf, raw) = (x.to(dtype).detach().requires_grad_(true), parameters.to(dtype).detach().requires_grad_(true));
        var (y, logDet) = map.Transform(leaf, raw, inverse);
        manual_seed(1);
        y.mul(rand(y.shape, dtype: dtype)).sum().add(logDet!.mul(rand(logDet.shape, dtype: dtype)).sum()).backward();
        var results = new Dictionary<string, Tensor> { ["y"] = y.detach(), ["log-det"] = logDet.detach(), ["gradient of x"] = leaf.grad!,
            ["gradient of parameters"] = raw.grad! };
        foreach (var weight in map.parameters()) results["gradient of a"] = weight.grad!.clone();
        map.to(float32);
        return results;
    }

    private static ScalarTransformer Make(string kind, EventShape scale)
    {
        if (kind == "sigmoid") return new SigmoidAffineTransformer();
        var map = new AffineTransformer(scale, kind.EndsWith("scale first", StringComparison.Ordinal) ? AffineOrder.ScaleThenShift
            : AffineOrder.ShiftThenScale);
        using var _ = no_grad();
        var first = map.parameters().Single();
        first.uniform_(-1.5, 1.5);
        return map;
    }
}
