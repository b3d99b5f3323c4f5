using RealNvp.Internal;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class DiagonalScaling : IOnnxBijection
{
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var s = log_scale.to(float64);
        if (inverse) s = s.neg();
        return (input * input.Graph.Constant(s.exp()), input.Graph.Constant(s.sum().reshape(1, 1)));
    }
}
