using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>The keys and shapes of the state dict are public API: files hold them. A change here needs a new format version.</summary>
public class StateDictTests
{
    [Fact]
    public void Of_a_small_model_for_vectors()
    {
        using var model = new RealNvpModel(RealNvpOptions.Toy2D with { Layers = 2 });
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
        using var model = new RealNvpModel(RealNvpOptions.Toy2D with { Layers = 2, FlowBatchNorm = true, Standardize = true,
            DiagonalScaling = true, ContextSize = 3 });
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
            bijection.layers.0.mean_rest (2,)
            bijection.layers.0.log_std (2,)
            bijection.layers.0.fitted ()
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
        string[] couplings = ["0.layers.0", "0.layers.2", "0.layers.4", "0.layers.7", "0.layers.9", "0.layers.11", "1.layers.0",
            "1.layers.2", "1.layers.4", "1.layers.6"];
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

    internal static void Holds(nn.Module module, string lines) => Holds(module, Lines(lines));

    internal static void Holds(nn.Module module, string[] lines) =>
        module.state_dict().Select(e => $"{e.Key} {EventShape.Format(e.Value.shape)}").Order(StringComparer.Ordinal).Should()
            .Equal(lines.Order(StringComparer.Ordinal));

    private static string[] Lines(string lines) =>
        lines.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
