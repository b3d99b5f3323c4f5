using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class NetworkEncoder : IOnnxEncoder
{
    OnnxValue IOnnxEncoder.WriteOnnx(OnnxGraph graph, string name)
    {
        if (!ContextShape.IsFixed)
            throw new OnnxExportException(
                $"takes contexts of any size, {ContextShape}, and a graph is for one. Make the encoder with all " +
                "sizes known.", this);
        return OnnxNetworks.Write(network, graph.Input(name, ContextShape));
    }
}
