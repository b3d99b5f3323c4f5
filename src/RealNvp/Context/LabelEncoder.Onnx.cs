using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class LabelEncoder : IOnnxEncoder
{
    OnnxValue IOnnxEncoder.WriteOnnx(OnnxGraph graph, string name)
    {
        using var scope = NewDisposeScope();
        var table = graph.Constant(vectors ?? eye(Classes, dtype: float64));
        // labels are indices of its rows
        return graph.Node("Gather", [table, graph.Input(name, [], ScalarType.Int64)], [-1, Size], graph.Dtype, ("axis", 0L));
    }
}
