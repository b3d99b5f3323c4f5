using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>The keys and shapes of the state dict are public API: files hold them. A change here needs a new format version.</summary>
public class StateDictTests
{
    [Fact]
    public void Of_a_small_model_for_vectors()
    {
        using var model = new RealNvpModel(RealNvpOptions.Toy2D with { Couplings = 2 });
        Holds(model, """
            bijection.layers.0.conditioner.first.weight (64, 1)
            bijection.layers.0.conditioner.first.bias (64,)
            bijection.layers.0.conditioner.last.weight (2, 64)
            bijection.layers.0.conditioner.last.bias (2,)
            bijection.layers.0.conditioner.inner.0.weight (64, 64)
            bijection.layers.0.conditioner.inner.0.bias (64,)
            bijection.layers.0.conditioner.outer.0.weight (64, 64)
            bijection.layers.0.conditioner.outer.0.bias (64,)
            bijection.layers.0.transformer.scale (1,)
            bijection.layers.1.conditioner.first.weight (64, 1)
            bijection.layers.1.conditioner.first.bias (64,)
            bijection.layers.1.conditioner.last.weight (2, 64)
            bijection.layers.1.conditioner.last.bias (2,)
            bijection.layers.1.conditioner.inner.0.weight (64, 64)
            bijection.layers.1.conditioner.inner.0.bias (64,)
            bijection.layers.1.conditioner.outer.0.weight (64, 64)
            bijection.layers.1.conditioner.outer.0.bias (64,)
            bijection.layers.1.transformer.scale (1,)
            """);
    }

    [Fact]
    public void Of_a_model_for_vectors_with_all_that_it_can_have()
    {
        using var model = new RealNvpModel(RealNvpOptions.Toy2D with { Couplings = 2, FlowBatchNorm = true, Standardize = true, DiagonalScaling = true, ContextSize = 3 });
        Holds(model, """
            bijection.layers.1.conditioner.first.weight (64, 1)
            bijection.layers.1.conditioner.first.bias (64,)
            bijection.layers.1.conditioner.last.weight (2, 64)
            bijection.layers.1.conditioner.last.bias (2,)
            bijection.layers.1.conditioner.context.weight (64, 3)
            bijection.layers.1.conditioner.inner.0.weight (64, 64)
            bijection.layers.1.conditioner.inner.0.bias (64,)
            bijection.layers.1.conditioner.outer.0.weight (64, 64)
            bijection.layers.1.conditioner.outer.0.bias (64,)
            bijection.layers.1.transformer.scale (1,)
            bijection.layers.3.conditioner.first.weight (64, 1)
            bijection.layers.3.conditioner.first.bias (64,)
            bijection.layers.3.conditioner.last.weight (2, 64)
            bijection.layers.3.conditioner.last.bias (2,)
            bijection.layers.3.conditioner.context.weight (64, 3)
            bijection.layers.3.conditioner.inner.0.weight (64, 64)
            bijection.layers.3.conditioner.inner.0.bias (64,)
            bijection.layers.3.conditioner.outer.0.weight (64, 64)
            bijection.layers.3.conditioner.outer.0.bias (64,)
            bijection.layers.3.transformer.scale (1,)
            bijection.layers.5.log_scale (2,)
            bijection.layers.0.mean (2,)
            bijection.layers.0.log_std (2,)
            bijection.layers.2.running_mean (1,)
            bijection.layers.2.running_var (1,)
            bijection.layers.2.num_batches_tracked ()
            bijection.layers.4.running_mean (1,)
            bijection.layers.4.running_var (1,)
            bijection.layers.4.num_batches_tracked ()
            """);
    }

    [Fact]
    public void Of_a_model_for_images()
    {
        using var model = new RealNvpModel(RealNvpOptions.Image([1, 8, 8], scales: 2, blocks: 1, hidden: 4));
        // scale 0: checkerboards 0, 2, 4 of 1 channel and the mask, squeeze 6, channel masks 7, 9, 11 of 2 channels, squeezes 13, 14;
        // scale 1: checkerboards 0, 2, 4, 6 of 2 channels and the mask; a batch norm after each
        string[] couplings = ["0.layers.0", "0.layers.2", "0.layers.4", "0.layers.7", "0.layers.9", "0.layers.11", "1.layers.0", "1.layers.2", "1.layers.4", "1.layers.6"];
        var network = couplings.SelectMany(c => Lines("""
            in_norm.weight (I,)
            in_norm.bias (I,)
            out_norm.weight (H,)
            out_norm.bias (H,)
            in_conv.weight_g (H, 1, 1, 1)
            in_conv.weight_v (H, I, 3, 3)
            in_conv.bias (H,)
            in_skip.weight_g (H, 1, 1, 1)
            in_skip.weight_v (H, H, 1, 1)
            in_skip.bias (H,)
            out_conv.weight_g (O, 1, 1, 1)
            out_conv.weight_v (O, H, 1, 1)
            out_conv.bias (O,)
            blocks.0.in_norm.weight (H,)
            blocks.0.in_norm.bias (H,)
            blocks.0.out_norm.weight (H,)
            blocks.0.out_norm.bias (H,)
            blocks.0.in_conv.weight_g (H, 1, 1, 1)
            blocks.0.in_conv.weight_v (H, H, 3, 3)
            blocks.0.out_conv.weight_g (H, 1, 1, 1)
            blocks.0.out_conv.weight_v (H, H, 3, 3)
            blocks.0.out_conv.bias (H,)
            skips.0.weight_g (H, 1, 1, 1)
            skips.0.weight_v (H, H, 1, 1)
            skips.0.bias (H,)
            in_norm.running_mean (I,)
            in_norm.running_var (I,)
            in_norm.num_batches_tracked ()
            out_norm.running_mean (H,)
            out_norm.running_var (H,)
            out_norm.num_batches_tracked ()
            blocks.0.in_norm.running_mean (H,)
            blocks.0.in_norm.running_var (H,)
            blocks.0.in_norm.num_batches_tracked ()
            blocks.0.out_norm.running_mean (H,)
            blocks.0.out_norm.running_var (H,)
            blocks.0.out_norm.num_batches_tracked ()
            """).Select(line => $"bijection.layers.2.scales.{c}.conditioner.{line.Replace('I', Inputs(c)).Replace('H', Hidden(c)).Replace('O', Outputs(c))}"));
        static char Inputs(string c) => c[0] == '1' ? '3' : '2';
        static char Hidden(string c) => c is "0.layers.0" or "0.layers.2" or "0.layers.4" ? '4' : '8';
        static char Outputs(string c) => c is "0.layers.0" or "0.layers.2" or "0.layers.4" ? '2' : '4';
        Holds(model, [.. network, .. Lines("""
            bijection.layers.2.scales.0.layers.0.transformer.scale (1, 1, 1)
            bijection.layers.2.scales.0.layers.2.transformer.scale (1, 1, 1)
            bijection.layers.2.scales.0.layers.4.transformer.scale (1, 1, 1)
            bijection.layers.2.scales.0.layers.7.transformer.scale (2, 1, 1)
            bijection.layers.2.scales.0.layers.9.transformer.scale (2, 1, 1)
            bijection.layers.2.scales.0.layers.11.transformer.scale (2, 1, 1)
            bijection.layers.2.scales.1.layers.0.transformer.scale (2, 1, 1)
            bijection.layers.2.scales.1.layers.2.transformer.scale (2, 1, 1)
            bijection.layers.2.scales.1.layers.4.transformer.scale (2, 1, 1)
            bijection.layers.2.scales.1.layers.6.transformer.scale (2, 1, 1)
            bijection.layers.2.scales.0.layers.1.running_mean (1,)
            bijection.layers.2.scales.0.layers.1.running_var (1,)
            bijection.layers.2.scales.0.layers.1.num_batches_tracked ()
            bijection.layers.2.scales.0.layers.3.running_mean (1,)
            bijection.layers.2.scales.0.layers.3.running_var (1,)
            bijection.layers.2.scales.0.layers.3.num_batches_tracked ()
            bijection.layers.2.scales.0.layers.5.running_mean (1,)
            bijection.layers.2.scales.0.layers.5.running_var (1,)
            bijection.layers.2.scales.0.layers.5.num_batches_tracked ()
            bijection.layers.2.scales.0.layers.8.running_mean (2,)
            bijection.layers.2.scales.0.layers.8.running_var (2,)
            bijection.layers.2.scales.0.layers.8.num_batches_tracked ()
            bijection.layers.2.scales.0.layers.10.running_mean (2,)
            bijection.layers.2.scales.0.layers.10.running_var (2,)
            bijection.layers.2.scales.0.layers.10.num_batches_tracked ()
            bijection.layers.2.scales.0.layers.12.running_mean (2,)
            bijection.layers.2.scales.0.layers.12.running_var (2,)
            bijection.layers.2.scales.0.layers.12.num_batches_tracked ()
            bijection.layers.2.scales.1.layers.1.running_mean (2,)
            bijection.layers.2.scales.1.layers.1.running_var (2,)
            bijection.layers.2.scales.1.layers.1.num_batches_tracked ()
            bijection.layers.2.scales.1.layers.3.running_mean (2,)
            bijection.layers.2.scales.1.layers.3.running_var (2,)
            bijection.layers.2.scales.1.layers.3.num_batches_tracked ()
            bijection.layers.2.scales.1.layers.5.running_mean (2,)
            bijection.layers.2.scales.1.layers.5.running_var (2,)
            bijection.layers.2.scales.1.layers.5.num_batches_tracked ()
            bijection.layers.2.scales.1.layers.7.running_mean (2,)
            bijection.layers.2.scales.1.layers.7.running_var (2,)
            bijection.layers.2.scales.1.layers.7.num_batches_tracked ()
            """)]);
    }

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
        using var module = new MultiScale([2, 4, 4], new Chain(new DiagonalScaling([2, 4, 4]), new Squeeze([2, 4, 4])), new DiagonalScaling([4, 2, 2]));
        Holds(module, """
            scales.0.layers.0.log_scale (2, 4, 4)
            scales.1.log_scale (4, 2, 2)
            """);
    }

    [Fact]
    public void Of_a_bijection_turned_round()
    {
        using var module = new Inverted(new FlowBatchNorm([3, 2, 2], Mask.ChannelWise(3)));
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
    public void Of_standardization()
    {
        using var layer = new Standardization([2, 3]);
        Holds(layer, """
            mean (2, 3)
            log_std (2, 3)
            """);
    }

    [Fact]
    public void What_has_no_weights_has_no_keys()
    {
        nn.Module[] modules = [new Squeeze([1, 4, 4]), new LogitTransform(), new UniformDequantization(), new RandomHorizontalFlip(), new StandardNormal([2]), new StandardLogistic([2]), new AdditiveTransformer()];
        foreach (var module in modules)
            using (module) module.state_dict().Should().BeEmpty("{0} has nothing to save", module.GetName());
    }

    private static void Holds(nn.Module module, string lines) => Holds(module, Lines(lines));

    private static void Holds(nn.Module module, string[] lines) =>
        module.state_dict().Select(e => $"{e.Key} {EventShape.Format(e.Value.shape)}").Order(StringComparer.Ordinal).Should().Equal(lines.Order(StringComparer.Ordinal));

    private static string[] Lines(string lines) => lines.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
