using TorchSharp;
using static RealNvp.Tests.Models.StateDictTests;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>The keys and shapes that a network or a layer adds to the state dict of its model.</summary>
public class LayerStateDictTests
{
    [Fact]
    public void Of_an_mlp_with_a_context()
    {
        using var module = new ResidualMlp(2, 4, 8, 2, 3);
        Holds(module, """
            first.weight (8, 2)
            first.bias (8,)
            last.weight (4, 8)
            last.bias (4,)
            context.weight (8, 3)
            inner.0.weight (8, 8)
            inner.0.bias (8,)
            inner.1.weight (8, 8)
            inner.1.bias (8,)
            outer.0.weight (8, 8)
            outer.0.bias (8,)
            outer.1.weight (8, 8)
            outer.1.bias (8,)
            """);
    }

    [Fact]
    public void Of_a_convolution_network_with_a_context()
    {
        using var module = new ResidualConvNet(2, 4, new() { HiddenChannels = 8, Blocks = 1, ContextSize = 3 });
        Holds(module, """
            in_norm.weight (2,)
            in_norm.bias (2,)
            out_norm.weight (8,)
            out_norm.bias (8,)
            in_conv.weight_g (8, 1, 1, 1)
            in_conv.weight_v (8, 2, 3, 3)
            in_conv.bias (8,)
            in_skip.weight_g (8, 1, 1, 1)
            in_skip.weight_v (8, 8, 1, 1)
            in_skip.bias (8,)
            out_conv.weight_g (4, 1, 1, 1)
            out_conv.weight_v (4, 8, 1, 1)
            out_conv.bias (4,)
            blocks.0.in_norm.weight (8,)
            blocks.0.in_norm.bias (8,)
            blocks.0.out_norm.weight (8,)
            blocks.0.out_norm.bias (8,)
            blocks.0.in_conv.weight_g (8, 1, 1, 1)
            blocks.0.in_conv.weight_v (8, 8, 3, 3)
            blocks.0.out_conv.weight_g (8, 1, 1, 1)
            blocks.0.out_conv.weight_v (8, 8, 3, 3)
            blocks.0.out_conv.bias (8,)
            skips.0.weight_g (8, 1, 1, 1)
            skips.0.weight_v (8, 8, 1, 1)
            skips.0.bias (8,)
            context.weight (8, 3)
            in_norm.running_mean (2,)
            in_norm.running_var (2,)
            in_norm.num_batches_tracked ()
            out_norm.running_mean (8,)
            out_norm.running_var (8,)
            out_norm.num_batches_tracked ()
            blocks.0.in_norm.running_mean (8,)
            blocks.0.in_norm.running_var (8,)
            blocks.0.in_norm.num_batches_tracked ()
            blocks.0.out_norm.running_mean (8,)
            blocks.0.out_norm.running_var (8,)
            blocks.0.out_norm.num_batches_tracked ()
            """);
    }

    [Fact]
    public void Of_a_convolution_network_without_batch_norm_its_convolutions_have_biases()
    {
        using var module = new ResidualConvNet(2, 4, new() { HiddenChannels = 8, Blocks = 1, BatchNorm = false, ConcatenatedRelu = true });
        Holds(module, """
            in_conv.weight_g (8, 1, 1, 1)
            in_conv.weight_v (8, 4, 3, 3)
            in_conv.bias (8,)
            in_skip.weight_g (8, 1, 1, 1)
            in_skip.weight_v (8, 8, 1, 1)
            in_skip.bias (8,)
            out_conv.weight_g (4, 1, 1, 1)
            out_conv.weight_v (4, 8, 1, 1)
            out_conv.bias (4,)
            blocks.0.in_conv.weight_g (8, 1, 1, 1)
            blocks.0.in_conv.weight_v (8, 8, 3, 3)
            blocks.0.in_conv.bias (8,)
            blocks.0.out_conv.weight_g (8, 1, 1, 1)
            blocks.0.out_conv.weight_v (8, 8, 3, 3)
            blocks.0.out_conv.bias (8,)
            skips.0.weight_g (8, 1, 1, 1)
            skips.0.weight_v (8, 8, 1, 1)
            skips.0.bias (8,)
            """);
    }

    [Fact]
    public void Of_scales_chains_and_diagonal_scaling()
    {
        using var module = new MultiScaleLayer([2, 4, 4], new Chain(new DiagonalScaling([2, 4, 4]), new Squeeze([2, 4, 4])),
            new DiagonalScaling([4, 2, 2]));
        Holds(module, """
            scales.0.layers.0.log_scale (2, 4, 4)
            scales.1.log_scale (4, 2, 2)
            """);
    }

    [Fact]
    public void Of_a_bijection_turned_round()
    {
        using var module = new InvertedLayer(new FlowBatchNorm([3, 2, 2], Mask.ChannelWise(3)));
        Holds(module, """
            bijection.running_mean (2,)
            bijection.running_var (2,)
            bijection.num_batches_tracked ()
            """);
    }

    [Fact]
    public void Of_couplings_with_any_network()
    {
        using var affine = new AffineCouplingLayer([3], Mask.Alternating(3), nn.Linear(1, 4));
        Holds(affine, """
            conditioner.weight (4, 1)
            conditioner.bias (4,)
            transformer.scale (2,)
            """);
        using var additive = new AdditiveCouplingLayer([3], Mask.Alternating(3), nn.Linear(1, 2));
        Holds(additive, """
            conditioner.weight (2, 1)
            conditioner.bias (2,)
            """);
    }

    [Fact]
    public void Of_context_standardization()
    {
        using var encoder = new ContextStandardization(3);
        Holds(encoder, """
            mean (3,)
            mean_rest (3,)
            log_std (3,)
            fitted ()
            """);
    }

    [Fact]
    public void Of_standardization()
    {
        using var layer = new Standardization([2, 3]);
        Holds(layer, """
            mean (2, 3)
            mean_rest (2, 3)
            log_std (2, 3)
            fitted ()
            """);
    }

    [Fact]
    public void Of_planar_radial_and_Sylvester_layers()
    {
        using var planar = new PlanarLayer([3], PlanarActivation.LeakyRelu);
        Holds(planar, """
            w (3,)
            u (3,)
            b (1,)
            """);
        using var radial = new RadialLayer([3]);
        Holds(radial, """
            center (3,)
            alpha (1,)
            beta (1,)
            """);
        using var sylvester = new SylvesterLayer([3], 2);
        Holds(sylvester, """
            reflections (2, 3)
            r (2, 2)
            r_tilde (2, 2)
            b (2,)
            """);
    }

    [Fact]
    public void Of_a_periodic_convolution()
    {
        using var layer = new PeriodicConv2d([2, 4, 5]);
        Holds(layer, "weight (2, 2, 3, 3)");
    }

    [Fact]
    public void What_has_no_weights_has_no_keys()
    {
        nn.Module[] modules = [new Squeeze([1, 4, 4]), new HaarSqueeze([1, 4, 4]), new LogitTransform(), new UniformDequantization(),
            new RandomHorizontalFlip(), new StandardNormal([2]), new StandardLogistic([2]), new AdditiveTransformer()];
        foreach (var module in modules)
            using (module) module.state_dict().Should().BeEmpty("{0} has nothing to save", module.GetName());
    }
}
