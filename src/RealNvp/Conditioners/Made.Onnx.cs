using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class Made : IOnnxNetwork
{
    OnnxValue IOnnxNetwork.WriteOnnx(OnnxValue input, OnnxValue? context) => dense.WriteOnnx(input, context);
}
