using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Onnx;
using static TorchSharp.torch;

namespace RealNvp;

public abstract partial class LipschitzActivation
{
    /// <summary>f(x) and f′(x) of (N, C) as graphs of ONNX: (N, <see cref="Outputs"/>·C).</summary>
    internal (OnnxValue Value, OnnxValue Slope) WriteOnnx(OnnxValue x)
    {
        var (kind, factor, weight) = Kernel;
        if (kind == ResidualActivation.Elu)
        {
            var low = x.AtMost(0);
            return (x.Greater(0).Where(x, low.ExpM1()), low.Exp());
        }
        using var scope = NewDisposeScope();
        var beta = x.Graph.Constant(LipSwish.Positive(weight!.detach().to(float64)), x.Type);
        var (value, slope) = Swish(x, beta, factor);
        if (kind == ResidualActivation.Swish) return (value, slope);
        var (mirrored, other) = Swish(-x, beta, factor);
        return (OnnxValue.Concat(1, value, mirrored), OnnxValue.Concat(1, slope, -other));
    }

    private static (OnnxValue, OnnxValue) Swish(OnnxValue x, OnnxValue beta, double factor)
    {
        var scaled = x * beta;
        var s = scaled.Sigmoid();
        return (x * s * factor, (s + (scaled * s * (1 - s))) * factor);
    }
}
