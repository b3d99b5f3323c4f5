using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class UniformSphere : IOnnxDensity
{
    OnnxValue IOnnxDensity.WriteOnnx(OnnxValue z, OnnxValue? context)
    {
        var (least, most) = Internal.UnitLength.Bounds(z.Type);
        var wide = z.To(ScalarType.Float64);
        var square = (wide * wide).SumExamples();
        var graph = z.Graph;
        return square.Greater(least).And(square.Less(most)).Where(graph.Constant(-LogArea(Shape.NumElements)),
            graph.Constant(double.NegativeInfinity));
    }
}
