using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class Wrap : IOnnxBijection
{
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse) =>
        (CircleElementsOnnx.Wrapped(elements, input), null);
}
