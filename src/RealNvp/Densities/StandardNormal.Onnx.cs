using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class StandardNormal : IOnnxDensity
{
    OnnxValue IOnnxDensity.WriteOnnx(OnnxValue z, OnnxValue? context) =>
        GaussianOnnx.MinusHalfSquare(z).SumExamples() - (0.5 * Shape.NumElements * Math.Log(2 * Math.PI));
}
