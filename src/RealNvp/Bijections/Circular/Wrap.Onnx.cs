using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class Wrap : IOnnxBijection
{
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse) =>
        (elements.Wrapped(input), null);
}
