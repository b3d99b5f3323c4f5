using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class StandardLogistic : IOnnxDensity
{
    OnnxValue IOnnxDensity.WriteOnnx(OnnxValue z, OnnxValue? context)
    {
        var size = z.Abs();
        return -(((-size).Exp().Log1P() * 2) + size).SumExamples();
    }
}
