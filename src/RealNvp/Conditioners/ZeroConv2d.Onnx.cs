using RealNvp.Onnx;
using RealNvp.Operations;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class ZeroConv2d : IOnnxNetwork
{
    OnnxValue IOnnxNetwork.WriteOnnx(OnnxValue input, OnnxValue? context)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return OnnxNetworks.Write(conv, input) * input.Graph.Constant(ConvNet.Factor(scale.to(float64)));
    }
}
