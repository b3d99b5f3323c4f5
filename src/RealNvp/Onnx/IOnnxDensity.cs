namespace RealNvp.Onnx;

/// <summary>A density that says how its logarithm is written as a graph of ONNX. Implement it in a density of yours.</summary>
public interface IOnnxDensity
{
    /// <summary>Writes log p(z | context) as it is in evaluation mode.</summary>
    /// <param name="z">(N, ...). Its graph is the one to write to.</param>
    /// <param name="context">(N, C) for a conditional density; null for any other.</param>
    /// <returns>(N, 1), or (1, 1) if it is the same for all.</returns>
    OnnxValue WriteOnnx(OnnxValue z, OnnxValue? context);
}
