using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class AffineTransformer : IOnnxTransformer
{
    (OnnxValue Value, OnnxValue? LogDerivative) IOnnxTransformer.WriteOnnx(OnnxValue input, OnnxValue parameters, bool inverse)
    {
        var (raw, shift) = OnnxParameters.Halves(parameters);
        return OnnxParameters.Affine(input, input.Graph.Constant(scale).Limited() * raw.Tanh(), shift,
            Order == AffineOrder.ShiftThenScale, inverse);
    }
}
