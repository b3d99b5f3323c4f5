using RealNvp.Internal;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class ContextStandardization : IOnnxEncoder
{
    OnnxValue IOnnxEncoder.WriteOnnx(OnnxGraph graph, string name)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return (graph.Input(name, ContextShape) - graph.Constant(Standardizing.Centre(mean, mean_rest, float64)))
            * graph.Constant(log_std.to(float64).neg().exp());
    }
}
