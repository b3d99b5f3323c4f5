using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class GlowConvNet : IOnnxNetwork
{
    OnnxValue IOnnxNetwork.WriteOnnx(OnnxValue input, OnnxValue? given)
    {
        var h = OnnxNetworks.Write(first, input);
        if (context is not null && given is not null) h += OnnxNetworks.Write(context, given).Unsqueeze(2).Unsqueeze(3);
        return OnnxNetworks.Write(last, OnnxNetworks.Write(second, h.Relu()).Relu());
    }
}
