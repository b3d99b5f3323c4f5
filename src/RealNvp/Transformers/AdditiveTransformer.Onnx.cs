using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class AdditiveTransformer : IOnnxTransformer
{
    (OnnxValue Value, OnnxValue? LogDerivative) IOnnxTransformer.WriteOnnx(OnnxValue input, OnnxValue parameters, bool inverse) =>
        (inverse ? input - parameters : input + parameters, null);
}
