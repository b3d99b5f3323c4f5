using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Golden;

/// <summary>Our layers give what an independent implementation gave, with its weights.</summary>
public class RealNvpGoldenTests
{
    private static readonly RealNvpOptions options = RealNvpOptions.Image([3, 8, 8], scales: 2, blocks: 1, hidden: 6) with
    {
        FlowBatchNorm = false,
        MaskAsInput = false,
        ConcatenatedRelu = true,
        Order = AffineOrder.ShiftThenScale,
        Statistics = BatchStatistics.Current,
    };

    // scale, layer of the scale, name there
    private static readonly (int Scale, int Layer, string Name)[] couplings =
    [
        (0, 0, "flows.in_couplings.0"), (0, 1, "flows.in_couplings.1"), (0, 2, "flows.in_couplings.2"),
        (0, 4, "flows.out_couplings.0"), (0, 5, "flows.out_couplings.1"), (0, 6, "flows.out_couplings.2"),
        (1, 0, "flows.next_block.in_couplings.0"), (1, 1, "flows.next_block.in_couplings.1"),
        (1, 2, "flows.next_block.in_couplings.2"), (1, 3, "flows.next_block.in_couplings.3"),
    ];

    [Fact]
    public void Masks_and_both_squeezes()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("chrischute_squeeze_masks");
        var x = golden["x"];
        foreach (var (order, key) in new[] { (SqueezeOrder.Plain, "squeeze"), (SqueezeOrder.Checkerboard, "squeeze_alt") })
        {
            using var squeeze = new Squeeze([3, 4, 4], order);
            Same(squeeze.Forward(x).Value, golden[key], 0);
            Same(squeeze.Inverse(golden[key]).Value, x, 0);
        }
        Same(Mask.Checkerboard(8, 8).ToTensor(float64), golden["mask_8x8"].reshape(8, 8), 0);
        Same((!Mask.Checkerboard(8, 8)).ToTensor(float64), golden["mask_8x8_reverse"].reshape(8, 8), 0);
        Same(Mask.Checkerboard(4, 6).ToTensor(float64), golden["mask_4x6"].reshape(4, 6), 0);
    }

    [Theory, InlineData("chrischute_coupling_checkerboard", true), InlineData("chrischute_coupling_channel", false)]
    public void One_affine_coupling(string name, bool checkerboard)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile(name);
        var net = new ResidualConvNetOptions { HiddenChannels = 6, Blocks = 1, ConcatenatedRelu = true, DoubleInput = checkerboard };
        using var coupling = checkerboard
            ? new AffineCouplingLayer(golden["x"].shape[1..], Mask.Checkerboard(golden["x"].shape[2], golden["x"].shape[3]),
                new ResidualConvNet(3, 6, net), AffineOrder.ShiftThenScale)
            : new AffineCouplingLayer(golden["x"].shape[1..], !Mask.ChannelWise(4), new ResidualConvNet(2, 4, net),
                AffineOrder.ShiftThenScale);
        coupling.to(float64);
        coupling.eval();
        golden.LoadCoupling("weights/", coupling);
        var (y, logDet) = coupling.Forward(golden["x"]);
        Same(y, golden["y"], 1e-12);
        Same(logDet, golden["logdet"], 1e-11);
        Same(coupling.Inverse(golden["y"]).Value, golden["x"], 1e-11);
    }

    [Fact]
    public void A_whole_multi_scale_model_in_evaluation()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("chrischute_realnvp_3x8x8");
        using var model = Model(golden);
        model.eval();
        var (logit, scales) = Parts(model);
        var continuous = golden["x"].mul(255).add(golden["dequant_noise"]).div(256);
        var (preprocessed, sldj) = logit.Forward(continuous);
        Same(preprocessed, golden["preprocessed"], 1e-12);
        Same(sldj, golden["preprocess_sldj"], 1e-10);

        var current = preprocessed;
        foreach (var (scale, layer, name) in couplings)
        {
            var layers = ((Chain)scales.Scales[scale]).Layers;
            if (scale == 0 && layer == 4) current = layers[3].Forward(current).Value;
            if (scale == 1 && layer == 0)
            {
                var first = ((Chain)scales.Scales[0]).Layers;
                current = first[8].Forward(first[7].Forward(current).Value).Value.narrow(1, 0, 6);
            }
            (current, var logDet) = layers[layer].Forward(current);
            sldj = sldj.add(logDet);
            Same(current, golden[$"eval/{name}/x"], 1e-11);
            Same(sldj, golden[$"eval/{name}/sldj_after"], 1e-9);
        }

        var (z, total) = scales.Forward(preprocessed);
        Same(total.add(golden["preprocess_sldj"]), golden["sldj"], 1e-9);
        Same(PeerLatent(scales, z), golden["z"], 1e-11);
        Same(scales.Inverse(z).Value, golden["reverse_of_z_logits"], 1e-10);
        var loss = model.BaseDensity.LogProb(z).add(golden["sldj"]).sub(192 * Math.Log(256)).mean().neg();
        Same(loss, golden["nll"], 1e-8);
    }

    [Fact]
    public void Sampling_from_given_noise()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("chrischute_realnvp_3x8x8");
        using var model = Model(golden);
        model.eval();
        var (_, scales) = Parts(model);
        using var squeeze = new Squeeze([3, 8, 8], SqueezeOrder.Checkerboard);
        var parts = squeeze.Forward(golden["noise"]).Value.chunk(2, 1);
        Same(scales.Inverse(scales.Join(parts[1], parts[0])).Value, golden["sample_logits"], 1e-10);
    }

    [Fact]
    public void Training_loss_and_gradients()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("chrischute_realnvp_3x8x8");
        using var model = Model(golden);
        model.train();
        var (_, scales) = Parts(model);
        var (z, total) = scales.Forward(golden["preprocessed"]);
        var sldj = total.add(golden["preprocess_sldj"]);
        Same(PeerLatent(scales, z), golden["train_z"], 1e-10);
        Same(sldj, golden["train_sldj"], 1e-9);
        var loss = model.BaseDensity.LogProb(z).add(sldj).sub(192 * Math.Log(256)).mean().neg();
        Same(loss, golden["train_nll"], 1e-8);
        loss.backward();
        foreach (var (scale, layer, name) in couplings)
        {
            var coupling = ((Chain)scales.Scales[scale]).Layers[layer];
            foreach (var (ours, parameter) in coupling.named_parameters())
            {
                var expected = ours == "transformer.scale"
                    ? golden[$"grad/{name}.rescale.weight_g"].mul(golden.Sign("", $"weights/{name}."))
                    : golden[$"grad/{name}.{GoldenFile.Theirs(ours)}"];
                Same(parameter.grad!.reshape(expected.shape), expected, 1e-8);
            }
        }
    }

    private static RealNvpModel Model(GoldenFile golden)
    {
        var model = new RealNvpModel(options);
        model.to(float64);
        var (_, scales) = Parts(model);
        foreach (var (scale, layer, name) in couplings)
            golden.LoadCoupling($"weights/{name}.", ((Chain)scales.Scales[scale]).Layers[layer]);
        return model;
    }

    private static (LogitTransform Logit, MultiScaleLayer Scales) Parts(RealNvpModel model)
    {
        var layers = ((Chain)model.Bijection).Layers;
        return (layers.OfType<LogitTransform>().Single(), layers.OfType<MultiScaleLayer>().Single());
    }

    // the peer puts the parts back into the shape of the image
    private static Tensor PeerLatent(MultiScaleLayer scales, Tensor z)
    {
        var parts = scales.Split(z);
        using var squeeze = new Squeeze([3, 8, 8], SqueezeOrder.Checkerboard);
        return squeeze.Inverse(cat([parts[1], parts[0]], 1)).Value;
    }

    private static void Same(Tensor actual, Tensor expected, double tolerance)
    {
        actual.shape.Should().Equal(expected.shape);
        actual.sub(expected).abs().max().item<double>().Should().BeLessThanOrEqualTo(tolerance);
    }
}
