using RealNvp.Internal;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class Standardization : IOnnxBijection
{
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var s = log_std.to(float64);
        var centre = input.Graph.Constant(Standardizing.Centre(mean, mean_rest, float64));
        var logDet = input.Graph.Constant((inverse ? s : s.neg()).sum().reshape(1, 1));
        return inverse ? ((input * input.Graph.Constant(s.exp())) + centre, logDet)
            : ((input - centre) * input.Graph.Constant(s.neg().exp()), logDet);
    }
}
