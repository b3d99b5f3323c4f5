using RealNvp.Onnx;

namespace RealNvp;

internal sealed partial class ResidualBlock2d : IOnnxNetwork
{
    OnnxValue IOnnxNetwork.WriteOnnx(OnnxValue input, OnnxValue? context) =>
        After(out_norm, out_conv, After(in_norm, in_conv, input)) + input;

    /// <summary>A convolution of relu of what a normalization makes of the input, or of the input itself.</summary>
    internal static OnnxValue After(ChannelBatchNorm? norm, WeightNormConv2d conv, OnnxValue input) =>
        OnnxNetworks.Write(conv, (norm is null ? input : OnnxNetworks.Write(norm, input)).Relu());
}
