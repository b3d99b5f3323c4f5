using RealNvp.Onnx;

namespace RealNvp;

internal sealed partial class PairedNetwork : IOnnxNetwork
{
    OnnxValue IOnnxNetwork.WriteOnnx(OnnxValue input, OnnxValue? context) =>
        OnnxValue.Concat(1, OnnxNetworks.Write(first, input), OnnxNetworks.Write(second, input));
}
