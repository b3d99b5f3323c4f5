using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class SigmoidAffineTransformer : IOnnxTransformer
{
    (OnnxValue Value, OnnxValue? LogDerivative) IOnnxTransformer.WriteOnnx(OnnxValue input, OnnxValue parameters, bool inverse)
    {
        var (raw, shift) = OnnxParameters.Halves(parameters);
        return OnnxParameters.Affine(input, (raw + 2).AtLeast(MinLogit).LogSigmoid(), shift, shiftFirst: true, inverse);
    }
}
