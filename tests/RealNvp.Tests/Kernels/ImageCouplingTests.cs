using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static RealNvp.Tests.Kernels.CouplingResults;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

[LeavesNoTensors]
public class ImageCouplingTests
{
    private static readonly EventShape shape = [12, 6, 8];

    public static TheoryData<string, bool, bool> All()
    {
        var data = new TheoryData<string, bool, bool>();
        foreach (var map in new[] { "sigmoid", "affine", "shift first", "one scale", "spline" })
            foreach (var keepsFirst in new[] { false, true })
                foreach (var inverse in new[] { false, true })
                    data.Add(map, keepsFirst, inverse);
        return data;
    }

    [Theory, MemberData(nameof(All))]
    public void One_operation_gives_what_separate_kernels_give_to_the_bit(string map, bool keepsFirst, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var layer = Make(map, keepsFirst);
        var x = Draw(5);
        Joins(layer, x, inverse).Should().BeTrue();
        var (fused, separate, plain) = (Results(layer, x, null, inverse, CouplingKernels.Fused),
            Results(layer, x, null, inverse, CouplingKernels.Separate), Results(layer, x, null, inverse, CouplingKernels.None));
        fused.Length.Should().Be(separate.Length);
        for (var i = 0; i < fused.Length; i++)
        {
            fused[i].shape.Should().Equal(separate[i].shape);
            KernelResults.Same(fused[i], separate[i]).Should().BeTrue("of result {0}", i);
            // a spline magnifies the rounding of the network; its own tests compare it with plain operations
            if (map != "spline") KernelResults.ApartOfLargest(fused[i], plain[i]).Should().BeLessThan(2e-5, "of result {0}", i);
        }
        using (no_grad())
        {
            var (value, logDet) = Run(layer, x, null, inverse, CouplingKernels.Fused);
            KernelResults.Same(value, fused[0]).Should().BeTrue();
            KernelResults.Same(logDet, fused[1]).Should().BeTrue();
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Images_and_gradients_may_lie_in_memory_as_they_like(bool inverse)
    {
        using var scope = NewDisposeScope();
        using var layer = Make("sigmoid", keepsFirst: true);
        var (x, slope) = (Draw(3), Draw(3, seed: 4));
        Tensor[] Gradients(Tensor input, Tensor ofValue, CouplingKernels kernels)
        {
            layer.zero_grad();
            var leaf = input.detach().requires_grad_();
            var (value, logDet) = Run(layer, leaf, null, inverse, kernels);
            autograd.backward([value, logDet], [ofValue, ones(1).expand(3)]);
            return [value.detach(), leaf.grad!, .. layer.parameters().Select(p => p.grad!.clone())];
        }
        var expected = Gradients(x, slope, CouplingKernels.Separate);
        Tensor[] inputs = [cat([x, x], 1).narrow(1, 12, 12), ChannelsLast.Of(x), x.transpose(2, 3).contiguous().transpose(2, 3)];
        foreach (var input in inputs)
            foreach (var ofValue in new[] { slope, ChannelsLast.Of(slope), cat([slope, slope], 1).narrow(1, 12, 12) })
            {
                var actual = Gradients(input, ofValue, CouplingKernels.Fused);
                for (var i = 0; i < expected.Length; i++) KernelResults.Same(actual[i], expected[i]).Should().BeTrue("of result {0}", i);
            }
    }

    [Theory, InlineData("sigmoid"), InlineData("affine")]
    public void Only_what_wants_a_gradient_gets_one(string map)
    {
        using var scope = NewDisposeScope();
        using var layer = Make(map, keepsFirst: true);
        var x = Draw(3);
        var all = layer.named_parameters().ToArray();
        // each parameter alone, all of them without the images, and the images alone
        foreach (var wanted in all.Select(p => p.name).Append("all").Append("x"))
        {
            foreach (var (name, parameter) in all) parameter.requires_grad_(wanted == name || wanted == "all");
            Tensor?[] Gradients(CouplingKernels kernels)
            {
                foreach (var (_, parameter) in all) parameter.grad = null;
                var leaf = x.detach().requires_grad_(wanted == "x");
                var (value, logDet) = Run(layer, leaf, null, inverse: false, kernels);
                value.square().sum().add(logDet.sum()).backward();
                return [leaf.grad, .. all.Select(p => p.parameter.grad?.clone())];
            }
            var (fused, separate) = (Gradients(CouplingKernels.Fused), Gradients(CouplingKernels.Separate));
            fused.Count(g => g is not null).Should().Be(wanted == "all" ? all.Length : 1);
            for (var i = 0; i < fused.Length; i++)
            {
                (fused[i] is null).Should().Be(separate[i] is null, "of result {0} for {1}", i, wanted);
                if (fused[i] is { } one) KernelResults.Same(one, separate[i]!).Should().BeTrue("of result {0} for {1}", i, wanted);
            }
        }
    }

    [Theory, InlineData("sigmoid", false), InlineData("affine", true)]
    public void Gradients_have_gradients(string map, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var layer = Make(map, keepsFirst: true);
        Tensor[] Second(CouplingKernels kernels)
        {
            using var _ = Switch(kernels);
            return KernelResults.SecondGradients(layer, leaf => inverse ? layer.Inverse(leaf) : layer.Forward(leaf), Draw(2));
        }
        var (fused, plain) = (Second(CouplingKernels.Fused), Second(CouplingKernels.None));
        fused.Length.Should().Be(plain.Length);
        for (var i = 0; i < fused.Length; i++)
            KernelResults.ApartOfLargest(fused[i], plain[i]).Should().BeLessThan(2e-4, "of result {0}", i);
    }

    [Fact]
    public void The_bits_do_not_depend_on_threads()
    {
        using var scope = NewDisposeScope();
        using var layer = Make("sigmoid", keepsFirst: true, hidden: 96);
        var x = Draw(40);
        var before = get_num_threads();
        try
        {
            set_num_threads(1);
            var one = Results(layer, x, null, inverse: false, CouplingKernels.Fused);
            set_num_threads(2);
            var two = Results(layer, x, null, inverse: false, CouplingKernels.Fused);
            for (var i = 0; i < one.Length; i++) KernelResults.Same(one[i], two[i]).Should().BeTrue("of result {0}", i);
        }
        finally { set_num_threads(before); }
    }

    [Fact]
    public void Weights_get_the_bits_that_autograd_would_give_them()
    {
        using var scope = NewDisposeScope();
        using var layer = Make("affine", keepsFirst: true);
        var taken = Results(layer, Draw(3), null, inverse: false, CouplingKernels.Fused);
        using var _ = KernelSwitch.Set(false, nameof(KernelSwitches.Leaves));
        var given = Results(layer, Draw(3), null, inverse: false, CouplingKernels.Fused);
        for (var i = 0; i < given.Length; i++) KernelResults.Same(taken[i], given[i]).Should().BeTrue("of result {0}", i);
    }

    [Theory, InlineData(float.NaN), InlineData(float.PositiveInfinity)]
    public void What_is_not_finite_stays_in_its_example(float value)
    {
        using var scope = NewDisposeScope();
        using var layer = Make("sigmoid", keepsFirst: true);
        var x = Draw(3);
        x[1, 2, 3, 4] = value;
        using var _ = no_grad();
        var (fused, plain) = (Run(layer, x, null, inverse: false, CouplingKernels.Fused),
            Run(layer, x, null, inverse: false, CouplingKernels.None));
        KernelResults.Same(fused.Value.isfinite(), plain.Value.isfinite()).Should().BeTrue();
        fused.LogDet.isfinite().data<bool>().ToArray().Should().Equal(true, false, true);
    }

    [Fact]
    public void A_hook_on_the_network_runs()
    {
        using var scope = NewDisposeScope();
        using var layer = Make("sigmoid", keepsFirst: true);
        var calls = 0;
        var hook = ((GlowConvNet)layer.Conditioner).register_forward_hook((_, _, _, output) => { calls++; return output; });
        layer.Forward(Draw(2));
        calls.Should().Be(1);
        hook.remove();
        layer.Forward(Draw(2));
        calls.Should().Be(1);
    }

    [Fact]
    public void What_the_operation_does_not_take_runs_as_separate_operations()
    {
        using var scope = NewDisposeScope();
        using (var layer = Make("sigmoid", keepsFirst: true))
        {
            Joins(layer, Draw(2), inverse: false).Should().BeTrue();
            Joins(layer, zeros(0, 12, 6, 8), inverse: false).Should().BeFalse();
            layer.to(float64);
            Joins(layer, Draw(2).to(float64), inverse: false).Should().BeFalse();
        }
        var mixed = new Mask([12, 1, 1], [true, false, true, false, true, false, true, false, true, false, true, false]);
        foreach (var (mask, context) in new[] { (mixed, 0L), (Mask.Checkerboard(6, 8), 0L), (Mask.ChannelWise(12), 3L) })
        {
            using var layer = new CouplingLayer(shape, mask, new SigmoidAffineTransformer(),
                size => new GlowConvNet(size.Inputs, size.Outputs, 16, context));
            Joins(layer, Draw(2), inverse: false, context > 0 ? zeros(2, context) : null).Should().BeFalse();
        }
        using var other = new CouplingLayer(shape, Mask.ChannelWise(12), new MixtureCdfTransformer(3),
            size => new GlowConvNet(size.Inputs, size.Outputs, 16));
        Joins(other, Draw(2), inverse: false).Should().BeTrue();
        Joins(other, Draw(2), inverse: true).Should().BeFalse("its inverse is a search");
    }

    [Fact]
    public void A_disposed_network_is_an_error_that_says_so()
    {
        using var scope = NewDisposeScope();
        using var layer = Make("sigmoid", keepsFirst: true);
        layer.Conditioner.Dispose();
        var forward = () => layer.Forward(Draw(2));
        forward.Should().Throw<ObjectDisposedException>();
    }

    // by what it asks libtorch for
    private static bool Joins(Bijection layer, Tensor x, bool inverse, Tensor? context = null)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Dictionary<string, long> Calls(CouplingKernels kernels)
        {
            using var on = Switch(kernels);
            using var calls = RealNvp.Benchmarks.NativeCalls.Start(byName: true);
            Assert.SkipWhen(calls is null, "this libtorch has no hook that counts its operations");
            if (inverse) layer.Inverse(x, context);
            else layer.Forward(x, context);
            return new(calls.Names);
        }
        var (fused, separate) = (Calls(CouplingKernels.Fused), Calls(CouplingKernels.Separate));
        return fused.Count != separate.Count || fused.Any(f => separate.GetValueOrDefault(f.Key) != f.Value);
    }

    private static CouplingLayer Make(string map, bool keepsFirst, int hidden = 24)
    {
        manual_seed(11);
        ScalarTransformer transformer = map switch
        {
            "sigmoid" => new SigmoidAffineTransformer(),
            "affine" => new AffineTransformer([6, 1, 1]),
            "shift first" => new AffineTransformer([6, 1, 1], AffineOrder.ShiftThenScale),
            "one scale" => new AffineTransformer([1]),
            _ => new SplineTransformer(5, 3),
        };
        var mask = Mask.ChannelWise(12);
        var layer = new CouplingLayer(shape, keepsFirst == mask.Kept[0] ? mask : !mask, transformer,
            size => new GlowConvNet(size.Inputs, size.Outputs, hidden));
        RandomWeights.Draw(layer, seed: 5, spread: 0.1);
        return layer;
    }

    private static Tensor Draw(int count, int seed = 3)
    {
        using var generator = new Generator((ulong)seed);
        return randn([count, .. shape], generator: generator);
    }
}
