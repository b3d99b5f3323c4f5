namespace RealNvp.Onnx;

/// <summary>An encoder of contexts that says how it is written as a graph of ONNX. Implement it in an encoder of yours.</summary>
public interface IOnnxEncoder
{
    /// <summary>Adds the input of the graph for contexts, and writes what the encoder makes of it in evaluation mode.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="name">The name that the input must have.</param>
    /// <returns>The features (N, C).</returns>
    OnnxValue WriteOnnx(OnnxGraph graph, string name);
}
