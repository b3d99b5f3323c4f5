using RealNvp.Onnx;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class UniformBox : IOnnxDensity
{
    OnnxValue IOnnxDensity.WriteOnnx(OnnxValue z, OnnxValue? context)
    {
        var slack = Slack * finfo(z.Type).eps * Math.Max(Math.Abs(Low), Math.Abs(High));
        var outside = z.GreaterOrEqual(Low - slack).And(z.LessOrEqual(High + slack)).Not().To(z.Type).SumExamples().Greater(0);
        var graph = z.Graph;
        return outside.Where(graph.Constant(double.NegativeInfinity), graph.Constant(-Shape.NumElements * Math.Log(High - Low)));
    }
}
