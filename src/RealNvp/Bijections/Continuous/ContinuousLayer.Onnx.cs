using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class ContinuousLayer : IOnnxBijection
{
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse) =>
        throw new OnnxExportException("solves a differential equation with steps that each example chooses, which has no graph. Take a " +
            "coupling or autoregressive flow for ONNX.", this);
}
