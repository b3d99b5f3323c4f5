using RealNvp.Kernels;
using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

[LeavesNoTensors]
public class SequenceKernelTests
{
    private static readonly string[] Maps = ["affine", "shift first", "sigmoid", "spline", "circular spline", "own map for each",
        "mixture"];
    private static readonly string[] Networks = ["plain", "residual, context, order", "no block", "two blocks, limited, context", "wide"];

    public static TheoryData<string, string> All()
    {
        var data = new TheoryData<string, string>();
        foreach (var map in Maps)
            foreach (var network in Networks) data.Add(map, network);
        return data;
    }

    [Theory, MemberData(nameof(All))]
    public void Values_and_gradients_are_those_of_plain_operations(string map, string network)
    {
        using var scope = NewDisposeScope();
        foreach (var rows in new[] { 1, 7, 130 })
        {
            using var layer = Make(map, network);
            var (z, context) = Inputs(layer, rows);
            var kernel = Results(layer, z, context, true);
            var plain = Results(layer, z, context, false);
            layer.to(float64);
            var exact = Results(layer, z.to(float64), context?.to(float64), false);
            for (var i = 0; i < exact.Length; i++)
            {
                kernel[i].shape.Should().Equal(exact[i].shape);
                if (exact[i].numel() == 0) continue;
                // roundings grow from feature to feature, in plain operations of float32 too
                var limit = Math.Max(2e-5, 4 * KernelResults.ApartOfLargest(plain[i], exact[i]));
                KernelResults.ApartOfLargest(kernel[i], exact[i]).Should().BeLessThan(limit, "of result {0} with {1} rows", i, rows);
            }
        }
    }

    [Theory, InlineData("affine", "plain"), InlineData("spline", "residual, context, order"), InlineData("sigmoid", "wide"),
        InlineData("own map for each", "two blocks, limited, context"),
        InlineData("mixture", "plain")]
    public void The_bits_depend_neither_on_threads_nor_on_gradients_nor_on_other_rows(string map, string network)
    {
        using var scope = NewDisposeScope();
        using var layer = Make(map, network);
        var (z, context) = Inputs(layer, 700);
        var before = get_num_threads();
        var results = new List<float[][]>();
        try
        {
            foreach (var threads in new[] { 1, 2 })
            {
                set_num_threads(threads);
                results.Add([.. Results(layer, z, context, true).Select(t => t.contiguous().data<float>().ToArray())]);
            }
        }
        finally { set_num_threads(before); }
        for (var i = 0; i < results[0].Length; i++) results[1][i].Should().Equal(results[0][i]);
        using var _ = no_grad();
        var (value, logDet) = layer.Inverse(z, context);
        value.data<float>().ToArray().Should().Equal(results[0][0]);
        logDet.data<float>().ToArray().Should().Equal(results[0][1]);
        foreach (var row in new[] { 0, 95, 96, 699 })
            layer.Inverse(z.narrow(0, row, 1), context?.narrow(0, row, 1)).Value.data<float>().ToArray().Should()
                .Equal(value[row].data<float>().ToArray());
    }

    [Theory, InlineData("affine", "plain"), InlineData("spline", "residual, context, order"), InlineData("sigmoid", "no block")]
    public void Gradients_have_gradients(string map, string network)
    {
        using var scope = NewDisposeScope();
        using var layer = Make(map, network);
        var (z, context) = Inputs(layer, 5);
        Tensor[] Second(IDisposable off)
        {
            using var _ = off;
            return KernelResults.SecondGradients(layer, leaf => layer.Inverse(leaf, context), z);
        }
        var kernel = Second(KernelSwitch.Set(true, nameof(KernelSwitches.Sequence)));
        var plain = Second(KernelSwitch.AllOff());
        kernel.Length.Should().Be(plain.Length);
        for (var i = 0; i < plain.Length; i++) KernelResults.ApartOfLargest(kernel[i], plain[i]).Should().BeLessThan(2e-4);
    }

    [Theory, InlineData(256), InlineData(512)]
    public void Each_width_of_vectors_gives_the_same_up_to_rounding(int bits)
    {
        using var scope = NewDisposeScope();
        using var layer = Make("affine", "residual, context, order");
        var (z, context) = Inputs(layer, 50);
        var here = Results(layer, z, context, true);
        var before = LaneWidth.Bits;
        Tensor[] other;
        try
        {
            LaneWidth.Bits = bits;
            other = Results(layer, z, context, true);
        }
        finally { LaneWidth.Bits = before; }
        for (var i = 0; i < here.Length; i++) KernelResults.ApartOfLargest(other[i], here[i]).Should().BeLessThan(1e-5);
    }

    [Fact]
    public void A_row_that_is_not_finite_stays_alone_and_frozen_weights_get_nothing()
    {
        using var scope = NewDisposeScope();
        using var layer = Make("affine", "plain");
        var (z, _) = Inputs(layer, 9);
        z[4, 2] = float.NaN;
        var frozen = layer.parameters().Where((_, i) => i % 2 == 0).ToArray();
        foreach (var parameter in frozen) parameter.requires_grad_(false);
        var leaf = z.detach().requires_grad_();
        var (value, logDet) = layer.Inverse(leaf);
        value.isnan().any(1).data<bool>().ToArray().Should().Equal(Enumerable.Range(0, 9).Select(i => i == 4));
        value.sum().add(logDet.sum()).backward();
        leaf.grad!.isnan().any(1).data<bool>().ToArray().Should().Equal(Enumerable.Range(0, 9).Select(i => i == 4));
        frozen.Count(p => p.grad is not null).Should().Be(0);
        layer.parameters().Where(p => p.requires_grad).Count(p => p.grad is null).Should().Be(0);
    }

    // value and log-determinant, then the gradients of input, context and parameters
    private static Tensor[] Results(Bijection layer, Tensor z, Tensor? context, bool kernel)
    {
        using var off = kernel ? KernelSwitch.Set(true, nameof(KernelSwitches.Sequence)) : KernelSwitch.AllOff();
        layer.zero_grad();
        var (leaf, given) = (z.detach().requires_grad_(), context?.detach().requires_grad_());
        var (value, logDet) = layer.Inverse(leaf, given);
        using var generator = new Generator(9);
        var (g, l) = (randn(value.shape, generator: generator).to(z.dtype), randn(logDet.shape, generator: generator).to(z.dtype));
        value.mul(g).sum().add(logDet.mul(l).sum()).backward();
        return [value.detach(), logDet.detach(), leaf.grad!, given?.grad ?? zeros(0), .. layer.parameters().Select(p => p.grad!.clone())];
    }

    private static (Tensor Z, Tensor? Context) Inputs(Bijection layer, int rows)
    {
        using var generator = new Generator(3);
        return (randn([rows, layer.InputShape!.Value[0]], generator: generator), layer.ContextSize > 0
            ? randn([rows, layer.ContextSize], generator: generator) : null);
    }

    private static AutoregressiveLayer Make(string map, string network)
    {
        manual_seed(2);
        // more than one group of steps
        var features = network == "wide" ? 21 : 10;
        ScalarTransformer transformer = map switch
        {
            "affine" => new AffineTransformer([1]),
            "shift first" => new AffineTransformer([1], AffineOrder.ShiftThenScale),
            "sigmoid" => new SigmoidAffineTransformer(),
            "spline" => new SplineTransformer(5, 3),
            "mixture" => new MixtureCdfTransformer(2),
            "circular spline" => new SplineTransformer(4, Math.PI, SplineTails.Circular),
            _ => new MixedTransformer([.. Enumerable.Range(0, features).Select(i => new SplineTransformer(i % 2 == 0 ? 3 : 5, 2 + i))]),
        };
        var options = network switch
        {
            "plain" => new MadeOptions { Hidden = 25, Blocks = 1, Residual = false },
            "residual, context, order" => new MadeOptions { Hidden = 33, Blocks = 2, ContextSize = 3,
                Order = [.. Enumerable.Range(0, features).Select(i => (long)((i * 7) + 3) % features)] },
            "no block" => new MadeOptions { Hidden = 7, Blocks = 0 },
            "wide" => new MadeOptions { Hidden = 70, Blocks = 1 },
            _ => new MadeOptions { Hidden = 20, Blocks = 2, Residual = false, ContextSize = 2, InputLimit = 1.5 },
        };
        var layer = new AutoregressiveLayer(transformer, new Made(features, transformer.ParametersPerElement, options));
        RandomWeights.Draw(layer, seed: 5, spread: 0.1);
        return layer;
    }
}
