using RealNvp.Onnx;

namespace RealNvp;

/// <content>The map as a graph of ONNX.</content>
public abstract partial class ScalarTransformer
{
    /// <summary>Writes the map or its inverse as a graph of ONNX, as it says it itself (<see cref="IOnnxTransformer"/>).</summary>
    /// <param name="input">(N, C, ...).</param>
    /// <param name="parameters">(N, P·C, ...).</param>
    /// <param name="inverse">The direction.</param>
    /// <returns>The values and their log-derivatives, of the shape of the input; null for log-derivatives that are 0.</returns>
    /// <exception cref="OnnxExportException">The map does not say it.</exception>
    public (OnnxValue Value, OnnxValue? LogDerivative) ToOnnx(OnnxValue input, OnnxValue parameters, bool inverse)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var _ = input.Graph.Within(this);
        return this is IOnnxTransformer writing ? writing.WriteOnnx(input, parameters, inverse) : throw new OnnxExportException(
            $"does not say how it is written as a graph of ONNX. Implement {nameof(IOnnxTransformer)} in {GetType().Name}.", this);
    }
}
