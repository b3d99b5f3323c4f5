using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class CircularShiftTransformer : IOnnxTransformer
{
    (OnnxValue Value, OnnxValue? LogDerivative) IOnnxTransformer.WriteOnnx(OnnxValue input, OnnxValue parameters, bool inverse) =>
        ((inverse ? input - parameters : input + parameters).Wrapped(circle.Low, circle.High), null);
}
