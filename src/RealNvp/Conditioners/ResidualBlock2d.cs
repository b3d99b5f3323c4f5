using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A residual block h + conv(relu(norm(conv(relu(norm(h)))))), the norms being left out if wanted.</summary>
internal sealed partial class ResidualBlock2d : nn.Module<Tensor, Tensor>
{
    private readonly ChannelBatchNorm? in_norm, out_norm;
    private readonly WeightNormConv2d in_conv, out_conv;

    public ResidualBlock2d(long channels, Func<long, ChannelBatchNorm?> norm) : base(nameof(ResidualBlock2d))
    {
        in_norm = norm(channels);
        in_conv = new WeightNormConv2d(channels, channels, 3, bias: in_norm is null);
        out_norm = norm(channels);
        out_conv = new WeightNormConv2d(channels, channels, 3);
        RegisterComponents();
    }

    /// <summary>The weights of its parts, in the order in which they run.</summary>
    internal IEnumerable<Tensor> Parts => [.. Of(in_norm), .. in_conv.Parts, .. Of(out_norm), .. out_conv.Parts];

    /// <summary>Its normalizations.</summary>
    internal IEnumerable<ChannelBatchNorm> Norms => in_norm is null || out_norm is null ? [] : [in_norm, out_norm];

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(out_conv.AfterRelu(out_norm, in_conv.AfterRelu(in_norm, input)).add_(input, Scalars.One));
    }

    private static Tensor[] Of(ChannelBatchNorm? norm) => norm is null ? [] : [norm.Parts.Weight, norm.Parts.Bias];
}
