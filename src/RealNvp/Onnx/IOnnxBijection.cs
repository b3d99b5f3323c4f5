namespace RealNvp.Onnx;

/// <summary>A bijection that says how it is written as a graph of ONNX. Implement it in a layer of yours, and flows with it can be
/// exported (<c>Flow.ExportOnnx</c>).</summary>
/// <remarks>A <see cref="Composite"/> and a layer that only moves values (<see cref="Bijection.MovesValues"/>) need not implement it.
/// Layers that it is made of are written by <see cref="Bijection.ToOnnx"/>, networks by <see cref="OnnxNetworks.Write"/>.</remarks>
public interface IOnnxBijection
{
    /// <summary>Writes what Forward or Inverse does in evaluation mode.</summary>
    /// <param name="input">x, or z if <paramref name="inverse"/> is true: (N, ...). Its graph is the one to write to.</param>
    /// <param name="context">(N, C) for a conditional layer; null for any other.</param>
    /// <param name="inverse">The direction.</param>
    /// <returns>The value, and the log-determinant (N, 1), or (1, 1) if it is the same for all examples, or null if it is 0.</returns>
    /// <exception cref="OnnxExportException">This direction has no graph.</exception>
    (OnnxValue Value, OnnxValue? LogDet) WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse);
}
