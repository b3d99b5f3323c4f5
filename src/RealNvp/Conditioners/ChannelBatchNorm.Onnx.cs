using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class ChannelBatchNorm : IOnnxNetwork
{
    OnnxValue IOnnxNetwork.WriteOnnx(OnnxValue input, OnnxValue? context) =>
        OnnxNetworks.Norm(this, input, running_mean, running_var, weight, bias, Eps);
}
