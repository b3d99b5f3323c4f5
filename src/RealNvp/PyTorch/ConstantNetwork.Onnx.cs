using RealNvp.Onnx;

namespace RealNvp;

internal sealed partial class ConstantNetwork : IOnnxNetwork
{
    // as many rows as the input has
    OnnxValue IOnnxNetwork.WriteOnnx(OnnxValue input, OnnxValue? context)
    {
        var rows = input.Narrow(1, 0, 1) * 0;
        return rows + input.Graph.Constant(value.unsqueeze(0));
    }
}
