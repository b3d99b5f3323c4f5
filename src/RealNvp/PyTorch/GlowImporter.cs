using System.Globalization;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Makes a <see cref="GlowModel"/> from the state dict of <c>Glow</c> of rosinality/glow-pytorch: affine or additive, with an LU
/// decomposition or without.</summary>
/// <remarks>The model takes what that one takes: images that are scaled to [−0.5, 0.5] and dequantized (<c>Levels = 0</c>); its own bits
/// per dimension count the logarithm of the number of levels in, ours do not. Scales of <c>ActNorm</c> must be positive, as they are unless
/// training made one cross 0.</remarks>
public sealed record GlowImporter : PyTorchImporter<GlowModel>
{
    /// <summary>H and W of the images, which the weights of convolutions do
    /// not tell; both divisible by 2 to the number of blocks.</summary>
    public required (int Height, int Width) ImageSize { get; init; }

    internal override string Library => "glow-pytorch";

    private protected override IReadOnlyList<string> Anchors => ["blocks.0.flows.0."];

    internal override void CheckMembers() => ImageSizes.Check(ImageSize, nameof(ImageSize));

    private protected override GlowModel Build(ImportedWeights weights)
    {
        var (scales, layers) = (weights.Count("blocks.", "a block"), weights.Count("blocks.0.flows.", "a flow"));
        var channels = weights["blocks.0.flows.0.actnorm.loc"].numel() / 4;
        var first = weights["blocks.0.flows.0.coupling.net.0.weight"];
        var outputs = weights["blocks.0.flows.0.coupling.net.4.conv.weight"].shape[0];
        var model = weights.Filled(new GlowModel(new GlowOptions
        {
            Shape = [channels, ImageSize.Height, ImageSize.Width],
            Levels = 0,
            Scales = scales,
            Layers = layers,
            Hidden = first.shape[0],
            // an affine coupling has two numbers for each channel of the changed half
            Coupling = outputs == 2 * first.shape[1] ? CouplingKind.Affine : CouplingKind.Additive,
            Linear = weights.Has("blocks.0.flows.0.invconv.weight") ? LinearForm.Plain : LinearForm.Lu,
        }));
        var position = layers * 3;
        foreach (var (key, target) in model.state_dict()) weights.Fill(target, Theirs(weights, key.Split('.'), position), $"'{key}'");
        return model;
    }

    // ours: bijection.layers.0.scales.S.layers.I, with the squeeze at 0 and the prior at the end
    private static Tensor Theirs(ImportedWeights weights, string[] key, int layers)
    {
        var (at, layer, rest) = ($"blocks.{key[4]}.", int.Parse(key[6], CultureInfo.InvariantCulture), key[7..]);
        if (layer > layers) return weights[$"{at}prior.{string.Join('.', rest[1..])}"];
        var flow = $"{at}flows.{(layer - 1) / 3}.";
        return ((layer - 1) % 3) switch
        {
            0 => Norm(weights, flow + "actnorm.", rest[0]),
            1 => Linear(weights, flow + "invconv.", rest[0]),
            _ => weights[$"{flow}coupling.net.{rest[1] switch { "first" => 0, "second" => 2, _ => 4 }}.{string.Join('.', rest[2..])}"],
        };
    }

    // theirs is scale·(x + loc)
    private static Tensor Norm(ImportedWeights weights, string at, string key)
    {
        weights.Pass(at, "initialized");
        var scale = weights[at + "scale"];
        if (!scale.gt(Scalars.Zero).all().Fetch<bool>())
            throw weights.Fault($"'{at}scale' has a number that is not positive, which no ActNorm here can have");
        return key switch
        {
            "log_scale" => scale.log(),
            "shift" => weights[at + "loc"].mul(scale),
            _ => ones([], ScalarType.Bool),
        };
    }

    private static Tensor Linear(ImportedWeights weights, string at, string key)
    {
        weights.Pass(at, "u_mask", "l_mask", "l_eye");
        return key switch
        {
            "weight" => weights[at + "weight"],
            "lu" => weights[at + "w_l"].tril(-1).add(weights[at + "w_u"].triu(1), Scalars.One).add(weights[at + "w_s"].diag(), Scalars.One),
            "permutation" => weights[at + "w_p"].argmax(1),
            _ => weights[at + "s_sign"],
        };
    }
}
