using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static RealNvp.Tests.Kernels.CouplingResults;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

[LeavesNoTensors]
public class CouplingKernelTests
{
    private static readonly string[] Maps = ["affine", "shift first", "sigmoid", "spline", "box spline", "circular spline"];
    private static readonly string[] Layers = ["alternating", "half", "one of two", "residual with context", "autoregressive",
        "autoregressive with context", "limited", "limited, of one run, with context", "autoregressive, limited, with context"];

    public static TheoryData<string, string, bool> All()
    {
        var data = new TheoryData<string, string, bool>();
        foreach (var map in Maps)
            foreach (var layer in Layers)
                foreach (var inverse in new[] { false, true })
                {
                    if (inverse && layer.StartsWith("auto", StringComparison.Ordinal)) continue;
                    if (layer.Contains("limited", StringComparison.Ordinal) && map is not ("affine" or "spline")) continue;
                    data.Add(map, layer, inverse);
                }
        return data;
    }

    [Theory, MemberData(nameof(All))]
    public void The_kernel_gives_what_separate_kernels_and_plain_operations_give(string map, string kind, bool inverse)
    {
        using var scope = NewDisposeScope();
        foreach (var rows in new[] { 1, 7, 130 })
        {
            using var layer = Make(map, kind);
            var (x, context) = Inputs(layer, rows);
            var fused = Results(layer, x, context, inverse, CouplingKernels.Fused);
            var separate = Results(layer, x, context, inverse, CouplingKernels.Separate);
            var plain = Results(layer, x, context, inverse, CouplingKernels.None);
            for (var i = 0; i < fused.Length; i++)
            {
                fused[i].shape.Should().Equal(plain[i].shape);
                // a gradient is a sum, and its parts come in another order
                KernelResults.ApartOfLargest(fused[i], separate[i]).Should().BeLessThan(i < 2 ? 1e-6
                    : 3e-6, "of result {0} with {1} rows", i, rows);
                // a spline magnifies the rounding of the network, which is that
                // of its kernel; its own tests compare it with plain operations
                if (!map.Contains("spline", StringComparison.Ordinal))
                    KernelResults.ApartOfLargest(fused[i], plain[i]).Should().BeLessThan(i < 2 ? 1e-6
                        : 5e-6, "of result {0} with {1} rows and plain operations", i, rows);
            }
        }
    }

    [Theory, InlineData("affine", 1e30f), InlineData("affine", -1e4f), InlineData("sigmoid", 1e30f), InlineData("sigmoid", -1e30f),
        InlineData("spline", 1e30f), InlineData("spline", -1e4f)]
    public void Extreme_parameters_give_what_separate_kernels_give(string map, float size)
    {
        using var scope = NewDisposeScope();
        using var layer = Make(map, "alternating");
        using (no_grad()) layer.get_parameter("conditioner.last.bias")!.fill_(size);
        var (x, _) = Inputs(layer, 40);
        foreach (var inverse in new[] { false, true })
        {
            var (fused, separate) = (Results(layer, x, null, inverse, CouplingKernels.Fused),
                Results(layer, x, null, inverse, CouplingKernels.Separate));
            for (var i = 0; i < fused.Length; i++)
            {
                if (fused[i].numel() == 0) continue;
                var largest = separate[i].nan_to_num(0, 0, 0).abs().max().item<float>();
                fused[i].allclose(separate[i], rtol: 1e-6, atol: 1e-6 * largest, equal_nan: true).Should().BeTrue("of result {0}", i);
            }
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void The_bits_do_not_depend_on_threads_gradients_or_other_rows(string map, string kind)
    {
        using var scope = NewDisposeScope();
        using var layer = Make(map, kind, hidden: 96);
        var (x, context) = Inputs(layer, 900);
        var before = get_num_threads();
        var results = new List<float[][]>();
        try
        {
            foreach (var threads in new[] { 1, 2 })
            {
                set_num_threads(threads);
                results.Add([.. Results(layer, x, context, inverse: false, CouplingKernels.Fused).Select(t => t.contiguous().data<float>()
                    .ToArray())]);
            }
        }
        finally { set_num_threads(before); }
        for (var i = 0; i < results[0].Length; i++) results[1][i].Should().Equal(results[0][i]);

        using var _ = no_grad();
        var (value, logDet) = layer.Forward(x, context);
        value.data<float>().ToArray().Should().Equal(results[0][0]);
        foreach (var row in new[] { 0, 95, 96, 899 })
        {
            var (one, itsLogDet) = layer.Forward(x.narrow(0, row, 1), context?.narrow(0, row, 1));
            one.data<float>().ToArray().Should().Equal(value[row].data<float>().ToArray());
            itsLogDet.item<float>().Should().Be(logDet[row].item<float>());
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Gradients_have_gradients(string map, string kind)
    {
        using var scope = NewDisposeScope();
        using var layer = Make(map, kind);
        var (x, context) = Inputs(layer, 5);
        Tensor[] Second(CouplingKernels kernel)
        {
            using var _ = Switch(kernel);
            return KernelResults.SecondGradients(layer, leaf => layer.Forward(leaf, context), x);
        }
        var (fused, plain) = (Second(CouplingKernels.Fused), Second(CouplingKernels.None));
        fused.Length.Should().Be(plain.Length);
        for (var i = 0; i < fused.Length; i++) KernelResults.ApartOfLargest(fused[i], plain[i]).Should().BeLessThan(1e-4);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Only_wanted_gradients_are_computed_and_one_output_is_enough(string map, string kind)
    {
        using var scope = NewDisposeScope();
        using var layer = Make(map, kind);
        var (x, context) = Inputs(layer, 9);
        var frozen = layer.named_parameters().Where((_, i) => i % 2 == 0).Select(p => p.parameter).ToArray();
        foreach (var parameter in frozen) parameter.requires_grad_(false);
        Tensor[] Gradients(CouplingKernels kernel)
        {
            using var _ = Switch(kernel);
            layer.zero_grad();
            layer.Forward(x, context).LogDet.sum().backward();
            return [.. layer.parameters().Where(p => p.requires_grad && p.grad is not null).Select(p => p.grad!.clone())];
        }
        var (fused, plain) = (Gradients(CouplingKernels.Fused), Gradients(CouplingKernels.Separate));
        fused.Length.Should().Be(plain.Length).And.BePositive();
        for (var i = 0; i < fused.Length; i++) KernelResults.ApartOfLargest(fused[i], plain[i]).Should().BeLessThan(1e-5);
        frozen.Count(p => p.grad is not null).Should().Be(0);
    }

    [Fact]
    public void Strided_inputs_and_nan_and_no_rows_are_as_with_plain_operations()
    {
        using var scope = NewDisposeScope();
        using var layer = Make("affine", "alternating");
        using var _ = no_grad();
        var x = randn(11, 12);
        foreach (var input in new[] { x.narrow(1, 3, 7), x.t().narrow(1, 0, 7).contiguous(), randn(7, 6).t(), zeros(0, 7) })
        {
            var (value, logDet) = Run(layer, input, null, inverse: false, CouplingKernels.Fused);
            var (plain, plainLogDet) = Run(layer, input, null, inverse: false, CouplingKernels.None);
            KernelResults.ApartOfLargest(value, plain).Should().BeLessThan(1e-6);
            KernelResults.ApartOfLargest(logDet, plainLogDet).Should().BeLessThan(1e-6);
        }
        var broken = randn(3, 7);
        broken[1, 1] = float.NaN;
        var (_, sums) = layer.Forward(broken);
        sums.isnan().data<bool>().ToArray().Should().Equal(false, true, false);
    }

    [Fact]
    public void A_hook_on_the_network_of_a_coupling_runs()
    {
        using var scope = NewDisposeScope();
        var network = new Mlp(3, 8, 16);
        using var layer = new AffineCouplingLayer([7], Mask.Alternating(7), network);
        var calls = 0;
        var hook = network.register_forward_hook((_, _, _, output) => { calls++; return output; });
        layer.Forward(randn(2, 7));
        calls.Should().Be(1);
        hook.remove();
        layer.Forward(randn(2, 7));
        calls.Should().Be(1);
    }

    [Fact]
    public void A_scale_beyond_its_limit_acts_as_if_at_it_and_gets_no_gradient()
    {
        using var scope = NewDisposeScope();
        using var layer = Make("affine", "alternating");
        var scale = layer.get_parameter("transformer.scale")!;
        using (no_grad()) scale[0] = 20;
        var (x, _) = Inputs(layer, 6);
        var (fused, plain) = (Results(layer, x, null, inverse: false, CouplingKernels.Fused),
            Results(layer, x, null, inverse: false, CouplingKernels.Separate));
        for (var i = 0; i < fused.Length; i++) KernelResults.ApartOfLargest(fused[i], plain[i]).Should().BeLessThan(1e-5);
        scale.grad![0].item<float>().Should().Be(0);
    }

    public static TheoryData<string, string> Kinds() => new()
    {
        { "affine", "alternating" }, { "sigmoid", "half" }, { "spline", "residual with context" },
            { "affine", "autoregressive with context" }, { "spline", "autoregressive" }, { "affine", "limited, of one run, with context" },
            { "shift first", "autoregressive, limited, with context" },
    };

    private static Bijection Make(string map, string kind, int hidden = 24)
    {
        manual_seed(11);
        double? limit = kind.Contains("limited", StringComparison.Ordinal) ? 1.5 : null;
        ScalarTransformer Map(long columns) => map switch
        {
            "affine" => new AffineTransformer([columns]),
            "shift first" => new AffineTransformer([columns], AffineOrder.ShiftThenScale),
            "sigmoid" => new SigmoidAffineTransformer(),
            "spline" => new SplineTransformer(8, 3),
            "box spline" => new SplineTransformer(5, 3, SplineTails.Box),
            _ => new SplineTransformer(4, Math.PI, SplineTails.Circular),
        };
        Bijection layer;
        if (kind.StartsWith("auto", StringComparison.Ordinal))
        {
            var transformer = Map(1);
            layer = new AutoregressiveLayer(transformer, new Made(6, transformer.ParametersPerElement,
                new MadeOptions { Hidden = hidden, ContextSize = kind.EndsWith("context", StringComparison.Ordinal) ? 3
                : 0, Order = [2, 0, 5, 1, 4, 3], InputLimit = limit }));
        }
        else
        {
            var (features, mask) = kind switch { "alternating" or "limited" => (7, Mask.Alternating(7)),
                "one of two" => (2, Mask.Alternating(2)), _ => (21, Mask.FirstHalf(21)) };
            var kept = mask.Kept.ToArray().Count(k => k);
            var transformer = Map(features - kept);
            var outputs = transformer.ParametersPerElement * (features - kept);
            Conditioner network = kind.EndsWith("context", StringComparison.Ordinal) ? new ResidualMlp(kept, outputs, hidden, 2, 3, limit)
                : new Mlp(kept, outputs, hidden, inputLimit: limit);
            layer = new CouplingLayer([features], mask, transformer, network);
        }
        // a spline with steep bins would magnify the rounding of the network
        RandomWeights.Draw(layer, seed: 5, spread: 0.1);
        return layer;
    }

    private static (Tensor X, Tensor? Context) Inputs(Bijection layer, int rows)
    {
        using var generator = new Generator(3);
        return (randn([rows, layer.InputShape!.Value[0]], generator: generator), layer.ContextSize > 0
            ? randn([rows, layer.ContextSize], generator: generator) : null);
    }
}
