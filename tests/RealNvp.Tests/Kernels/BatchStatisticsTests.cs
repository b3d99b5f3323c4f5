using RealNvp.Internal;
using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

/// <summary>Statistics of a batch whose mean is large beside its deviation. A variance of squares that are no distances from the mean, or
/// of distances from a mean that is rounded, would lose its digits; so would a difference of two large products.</summary>
[LeavesNoTensors]
public class BatchStatisticsTests
{
    private const double Mean = 1000, Deviation = 0.01;

    private static readonly Dictionary<string, Func<Tensor, (Tensor Mean, Tensor Variance)>> ways = new()
    {
        ["kernel"] = x =>
        {
            var found = NormRelu.Batch(x, ones(x.shape[1]), zeros(x.shape[1]), 1e-5);
            return (found[1], found[2]);
        },
        ["plain operations"] = x => RunningMoments.Of(x, null),
        ["plain operations, elements that count"] = x => RunningMoments.Of(x, ones(1)),
        ["batches of features"] = x =>
        {
            using var moments = new FeatureMoments();
            foreach (var part in x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).split(777)) moments.Add(part);
            return (moments.Mean.clone(), moments.Variance());
        },
        ["first batch of an ActNorm"] = x =>
        {
            using var layer = new ActNorm(EventShape.Create(x.shape[1], -1, -1));
            layer.Forward(x);
            var state = layer.state_dict();
            var deviation = state["log_scale"].to(float64).neg().exp();
            return (state["shift"].to(float64).mul(deviation).neg(), deviation.square());
        },
        ["flow batch normalization"] = x =>
        {
            using var layer = new FlowBatchNorm(EventShape.Create(x.shape[1], -1, -1));
            layer.Forward(x);
            return (layer.state_dict()["running_mean"].clone(), layer.state_dict()["running_var"].clone());
        },
    };

    public static TheoryData<string, int, bool> Ways()
    {
        var data = new TheoryData<string, int, bool>();
        // channels beside whole vectors, none beside them, and both
        foreach (var way in ways.Keys)
            foreach (var channels in new[] { 9, 16, 40 })
                foreach (var startsElsewhere in new[] { false, true }) data.Add(way, channels, startsElsewhere);
        return data;
    }

    [Theory, MemberData(nameof(Ways))]
    public void The_variance_of_a_batch_keeps_its_digits_far_from_zero(string way, int channels, bool startsElsewhere)
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        var x = ChannelsLast.Of(randn(4, channels, 64, 64).mul(Deviation).add(Mean));
        // the first row of the first image says nothing of all that follows
        if (startsElsewhere) x.narrow(0, 0, 1).narrow(2, 0, 1).zero_();
        var (mean, variance) = ways[way](x);
        var (exactVariance, exactMean) = x.to(float64).var_mean([0L, 2L, 3L], unbiased: false);
        mean.to(float64).sub(exactMean).abs().max().item<double>().Should().BeLessThan(1.3e-4, "a float32 near 1,000 has steps of 6.1e-5");
        // a log-scale of float32 near 4.6 has steps of 4.8e-7, and a variance two of them; the kernel rounds sums of 256 numbers, which are
        // nearly equal if they are measured from a mean that is none of theirs
        variance.to(float64).div(exactVariance).sub(1).abs().max().item<double>().Should()
            .BeLessThan(way == "kernel" ? 128 * Math.Pow(2, -24) : 1.5e-6);
    }

    public static TheoryData<string> Layers => [.. layers.Keys];

    private static readonly Dictionary<string, (Func<FlowBatchNorm> Make, long[] Size)> layers = new()
    {
        ["vectors"] = (() => new([5]), [300, 5]),
        ["vectors, a mask"] = (() => new([5], Mask.Alternating(5)), [300, 5]),
        ["images"] = (() => new([3, 8, 8]), [20, 3, 8, 8]),
        ["images, a mask"] = (() => new([3, 8, 8], Mask.Checkerboard(8, 8)), [20, 3, 8, 8]),
    };

    [Theory, MemberData(nameof(Layers))]
    public void A_flow_batch_normalization_gives_all_digits_far_from_zero(string name)
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        var (make, size) = layers[name];
        using FlowBatchNorm norm = make(), wide = make();
        var x = randn(size).mul(Deviation).add(Mean);
        var (_, logDet) = norm.Forward(x);
        wide.to(float64);
        var (_, exactLogDet) = wide.Forward(x.to(float64));
        logDet.to(float64).sub(exactLogDet).abs().max().item<double>().Should().BeLessThan(3e-7 * exactLogDet[0].item<double>());
        // with the same statistics
        using (no_grad()) foreach (var (key, value) in norm.state_dict()) wide.state_dict()[key].copy_(value);
        norm.eval();
        wide.eval();
        var exact = wide.Forward(x.to(float64)).Value;
        KernelResults.ApartOfMeanSquare(norm.Forward(x).Value, exact, least: 1).Should().BeLessThan(1e-6 * Math.Max(1, Size(exact)));
        using var flow = new Flow(norm.InputShape!.Value, norm);
        flow.eval();
        using var wideFlow = new Flow(wide.InputShape!.Value, wide);
        wideFlow.eval();
        var expected = wideFlow.LogProb(x.to(float64));
        using var session = new OnnxSession(flow.ToOnnx());
        foreach (var scores in new[] { flow.LogProb(x), session.Run(("x", x))["log_prob"].flatten() })
            KernelResults.ApartOfLargest(scores, expected).Should().BeLessThan(1e-6);
        // few rows
        KernelResults.ApartOfLargest(flow.LogProb(x.narrow(0, 0, 3)), expected.narrow(0, 0, 3)).Should().BeLessThan(1e-6);
    }

    private static double Size(Tensor tensor) => tensor.square().mean().sqrt().item<double>();
}
