using RealNvp.Onnx;
using RealNvp.Operations;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class WeightNormConv2d : IOnnxNetwork
{
    OnnxValue IOnnxNetwork.WriteOnnx(OnnxValue input, OnnxValue? context)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return input.Convolve(WeightNorm.Reference(weight_v.to(float64), weight_g.to(float64)), bias, weight_v.shape[2] / 2);
    }
}
