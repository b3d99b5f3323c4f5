namespace RealNvp.Onnx;

/// <summary>A network, or a part of one, that says how it is written as a graph of ONNX. Implement it in a module of yours.</summary>
/// <remarks>Of TorchSharp's modules, <see cref="OnnxNetworks.Write"/> lists those that are known.</remarks>
public interface IOnnxNetwork
{
    /// <summary>Writes what the network computes in evaluation mode.</summary>
    /// <param name="input">(N, ...). Its graph is the one to write to.</param>
    /// <param name="context">(N, C) for a conditional network; null for any other.</param>
    /// <returns>(N, ...).</returns>
    OnnxValue WriteOnnx(OnnxValue input, OnnxValue? context);
}
