using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

[LeavesNoTensors]
public class DenseSequenceTests
{
    [Theory, MemberData(nameof(Layers))]
    public void Features_one_after_the_other_are_those_of_plain_operations(string transformer, int features, int rows, int hidden,
        int context, bool residual)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var layer = Create(transformer, features, hidden, context, residual);
        var z = randn(rows, features + 2).narrow(1, 1, features);
        var c = context > 0 ? randn(rows, context) : null;
        // the inverse of a spline is a root, which makes roundings larger in plain operations too
        var tolerance = transformer == "spline" ? 2e-5 : 2e-6;
        var (value, logDet) = layer.Inverse(z, c);
        KernelSwitches.Dense = false;
        try
        {
            var (plain, plainLogDet) = layer.Inverse(z, c);
            // both on one scale: a log-determinant is a sum that may cancel
            DenseNets.Difference([value, logDet!], [plain, plainLogDet!]).Should().BeLessThan(tolerance);
            layer.to(float64);
            var (exact, exactLogDet) = layer.Inverse(z.to(float64), c?.to(float64));
            DenseNets.Difference([value, logDet!], [exact, exactLogDet!]).Should().BeLessThan(tolerance);
        }
        finally { KernelSwitches.Dense = true; }
    }

    public static TheoryData<string, int, int, int, int, bool> Layers()
    {
        var data = new TheoryData<string, int, int, int, int, bool>();
        foreach (var transformer in new[] { "affine", "shift first", "spline" })
            foreach (var (features, rows, hidden) in new[] { (1, 3, 4), (2, 1, 1), (5, 17, 3), (6, 65, 64), (3, 200, 70) })
                foreach (var context in new[] { 0, 3 })
                    foreach (var residual in new[] { false, true }) data.Add(transformer, features, rows, hidden, context, residual);
        return data;
    }

    [Theory, InlineData("affine"), InlineData("spline")]
    public void The_result_is_the_same_for_any_number_of_threads(string transformer)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var layer = Create(transformer, 12, 128, 3, residual: true);
        var (z, c) = (randn(700, 12), randn(700, 3));
        var before = get_num_threads();
        try
        {
            var results = new[] { 1, 2 }.Select(threads =>
            {
                set_num_threads(threads);
                var (value, logDet) = layer.Inverse(z, c);
                return value.data<float>().ToArray().Concat(logDet!.data<float>().ToArray()).ToArray();
            }).ToArray();
            results[1].Should().Equal(results[0]);
        }
        finally { set_num_threads(before); }
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_scale_beyond_its_limit_acts_as_if_it_were_at_it(bool negative)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var layer = Create("affine", 3, 8, 0, residual: true);
        layer.Transformer.parameters().Single().fill_(negative ? -40 : 40);
        var z = randn(10, 3).mul(0.01);
        var (value, logDet) = layer.Inverse(z);
        logDet!.abs().max().item<float>().Should().BeLessThan((float)(3 * AffineTransformer.MaxLogScale) + 0.01f);
        layer.Transformer.parameters().Single().fill_(negative ? -AffineTransformer.MaxLogScale : AffineTransformer.MaxLogScale);
        layer.Inverse(z).Value.data<float>().ToArray().Should().Equal(value.data<float>().ToArray());
    }

    private static AutoregressiveLayer Create(string transformer, int features, int hidden, int context, bool residual)
    {
        manual_seed(2);
        ScalarTransformer map = transformer switch
        {
            "affine" => new AffineTransformer([1]),
            "shift first" => new AffineTransformer([1], AffineOrder.ShiftThenScale),
            _ => new SplineTransformer(),
        };
        var order = Enumerable.Range(0, features).Select(i => (long)(features - 1 - i)).ToArray();
        // some with a limit of what the network sees
        double? limit = features >= 5 ? 1.5 : null;
        var made = new Made(features, map.ParametersPerElement, new MadeOptions { Hidden = hidden, ContextSize = context,
            Residual = residual, Order = order, InputLimit = limit });
        var layer = new AutoregressiveLayer(map, made);
        RandomWeights.Draw(layer, seed: 5, spread: 0.1);
        return layer;
    }
}
