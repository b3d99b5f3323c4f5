using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Makes a <see cref="RealNvpModel"/> for images from the state dict of <c>RealNVP</c> of chrischute/real-nvp.</summary>
/// <remarks>The model takes bytes 0 ... 255, where that one takes them divided by 255, and does the dequantization and the logit itself.
/// Its checkpoints are <c>{'net': state_dict, 'test_loss': ..., 'epoch': ...}</c>, with the names of <c>DataParallel</c>; both are found
/// out.</remarks>
public sealed record RealNvpImporter : PyTorchImporter<RealNvpModel>
{
    /// <summary>H and W of the images, which the weights of convolutions do not tell; both divisible by 2 to one less than the number of
    /// scales.</summary>
    public required (int Height, int Width) ImageSize { get; init; }

    internal override string Library => "chrischute/real-nvp";

    private protected override IReadOnlyList<string> Anchors => ["flows.in_couplings.0."];

    internal override void CheckMembers() => ImageSizes.Check(ImageSize, nameof(ImageSize));

    private protected override RealNvpModel Build(ImportedWeights weights)
    {
        const string first = "flows.in_couplings.0.st_net.";
        var (channels, hidden) = (weights.Of(first + "in_norm.weight", -1).shape[0], weights.Of(first + "out_norm.weight", -1).shape[0]);
        var scales = 1;
        while (weights.HasUnder(Scale(scales) + "in_couplings.")) scales++;
        var constraint = weights["data_constraint"].FetchDouble();
        if (!(constraint is > 0 and < 1)) throw weights.Fault(
            FormattableString.Invariant($"its data_constraint is {constraint}, which is not in (0, 1)"));
        var alpha = (1 - constraint) / 2;
        var model = weights.Filled(new RealNvpModel(RealNvpOptions.Image([channels, ImageSize.Height, ImageSize.Width], scales,
            weights.Count(first + "blocks.", "a block"), hidden) with
        {
            // 0.9 in float32
            LogitAlpha = Math.Abs(alpha - 0.05) < 1e-7 ? 0.05 : alpha,
            FlowBatchNorm = false,
            MaskAsInput = false,
            ConcatenatedRelu = true,
            Order = AffineOrder.ShiftThenScale,
        }));
        var multi = ((Chain)model.Bijection).Layers.OfType<MultiScaleLayer>().Single();
        for (var scale = 0; scale < scales; scale++)
        {
            var layers = ((Chain)multi.Scales[scale]).Layers;
            var last = scale == scales - 1;
            for (var i = 0; i < (last ? 4 : 3); i++) Fill(weights, $"{Scale(scale)}in_couplings.{i}.", layers[i]);
            // behind the squeeze
            for (var i = 0; i < 3 && !last; i++) Fill(weights, $"{Scale(scale)}out_couplings.{i}.", layers[4 + i]);
        }
        return model;
    }

    private static string Scale(int index) => "flows." + string.Concat(Enumerable.Repeat("next_block.", index));

    private static void Fill(ImportedWeights weights, string at, nn.Module coupling)
    {
        foreach (var (key, target) in coupling.state_dict())
            weights.Fill(target, Theirs(weights, at, key), $"{key} of what '{at}' becomes");
    }

    private static Tensor Theirs(ImportedWeights weights, string at, string key)
    {
        if (key == "transformer.scale")
        {
            // a parameter with weight norm and one number a channel: g·v/|v|
            var (g, v) = weights.WeightNorm(at + "rescale.") ?? throw weights.Missing(at + "rescale.weight_g");
            return g.mul(v.sign());
        }
        var (folder, name) = (key[..key.LastIndexOf('.')], key[(key.LastIndexOf('.') + 1)..]);
        var theirs = at + folder.Replace("conditioner", "st_net", StringComparison.Ordinal) + ".";
        if (name == "num_batches_tracked" && !weights.Has(theirs + name)) return zeros([], int64);
        if (name is "num_batches_tracked" or "weight" or "running_mean" or "running_var"
            || (name == "bias" && weights.Has(theirs + "bias")))
            return weights[theirs + name];
        theirs += "conv.";
        if (name == "bias") return weights[theirs + "bias"];
        // a weight whose norm was taken off is a direction of its own length
        if (weights.WeightNorm(theirs) is { } parts) return name == "weight_g" ? parts.G : parts.V;
        var weight = weights[theirs + "weight"];
        return name == "weight_v" ? weight : weight.flatten(1).pow(Scalars.Two).sum(1).sqrt().reshape(-1, 1, 1, 1);
    }
}
