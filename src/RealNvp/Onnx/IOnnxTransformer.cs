namespace RealNvp.Onnx;

/// <summary>An elementwise map that says how it is written as a graph of ONNX. Implement it in a transformer of yours.</summary>
public interface IOnnxTransformer
{
    /// <summary>Writes the map or its inverse.</summary>
    /// <param name="input">(N, C, ...). Its graph is the one to write to.</param>
    /// <param name="parameters">(N, P·C, ...), all first parameters before all second ones; a size of 1 may stand for N.</param>
    /// <param name="inverse">The direction.</param>
    /// <returns>The values and their log-derivatives, of the shape of the input; null for log-derivatives that are 0.</returns>
    (OnnxValue Value, OnnxValue? LogDerivative) WriteOnnx(OnnxValue input, OnnxValue parameters, bool inverse);
}
