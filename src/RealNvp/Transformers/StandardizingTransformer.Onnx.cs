using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class StandardizingTransformer : IOnnxTransformer
{
    (OnnxValue Value, OnnxValue? LogDerivative) IOnnxTransformer.WriteOnnx(OnnxValue input, OnnxValue parameters, bool inverse)
    {
        var (mean, logSize) = OnnxParameters.Halves(parameters);
        // the inverse of y·σ + m
        return OnnxParameters.Affine(input, logSize.Limited(), mean, shiftFirst: false, !inverse);
    }
}
