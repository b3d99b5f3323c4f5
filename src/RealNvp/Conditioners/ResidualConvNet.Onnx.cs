using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class ResidualConvNet : IOnnxNetwork
{
    OnnxValue IOnnxNetwork.WriteOnnx(OnnxValue input, OnnxValue? given)
    {
        var h = in_norm is null ? input : OnnxNetworks.Write(in_norm, input);
        if (doubled) h *= 2;
        if (concatenated) h = OnnxValue.Concat(1, h, -h).Relu();
        h = OnnxNetworks.Write(in_conv, h);
        if (context is not null && given is not null) h += OnnxNetworks.Write(context, given).Unsqueeze(2).Unsqueeze(3);
        var skip = OnnxNetworks.Write(in_skip, h);
        for (var i = 0; i < blocks.Count; i++)
        {
            h = OnnxNetworks.Write(blocks[i], h);
            skip += OnnxNetworks.Write(skips[i], h);
        }
        return ResidualBlock2d.After(out_norm, out_conv, skip);
    }
}
