using RealNvp.Internal;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class ActNorm : IOnnxBijection
{
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var s = RunningMoments.PerChannel(log_scale.to(float64), input.Shape.Count);
        var b = input.Graph.Constant(RunningMoments.PerChannel(shift, input.Shape.Count));
        var pixels = input.Shape.Skip(2).Aggregate(1.0, (n, size) => n * size);
        var logDet = input.Graph.Constant(s.sum().mul(Scalars.Of(inverse ? -pixels : pixels)).reshape(1, 1));
        return (inverse ? (input - b) * input.Graph.Constant(s.neg().exp()) : (input * input.Graph.Constant(s.exp())) + b, logDet);
    }
}
