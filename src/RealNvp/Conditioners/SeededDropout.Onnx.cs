using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class SeededDropout : IOnnxNetwork
{
    // in evaluation it does nothing
    OnnxValue IOnnxNetwork.WriteOnnx(OnnxValue input, OnnxValue? context) => input;
}
