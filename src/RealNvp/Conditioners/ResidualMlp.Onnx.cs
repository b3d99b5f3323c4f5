using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class ResidualMlp : IOnnxNetwork
{
    OnnxValue IOnnxNetwork.WriteOnnx(OnnxValue input, OnnxValue? context) => dense.WriteOnnx(input, context);
}
