using RealNvp.Onnx;

namespace RealNvp;

public abstract partial class ContextEncoder
{
    /// <summary>Adds an input for contexts to a graph of ONNX, and writes what the encoder makes of it, as it says it itself
    /// (<see cref="IOnnxEncoder"/>).</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="name">The name of the input.</param>
    /// <returns>The features (N, C).</returns>
    /// <exception cref="OnnxExportException">The encoder does not say it.</exception>
    public OnnxValue ToOnnx(OnnxGraph graph, string name = "context")
    {
        ArgumentNullException.ThrowIfNull(graph);
        using var _ = graph.Within(this);
        return this is IOnnxEncoder writing ? writing.WriteOnnx(graph, name) : throw new OnnxExportException(
            $"does not say how it is written as a graph of ONNX. Implement {nameof(IOnnxEncoder)} in {GetType().Name}.", this);
    }
}
