using RealNvp.Onnx;

namespace RealNvp;

/// <content>The density as a graph of ONNX.</content>
public abstract partial class Density
{
    /// <summary>Writes log p(z | context) in evaluation mode as a graph of
    /// ONNX, as the density says it (<see cref="IOnnxDensity"/>).</summary>
    /// <param name="z">(N, ...).</param>
    /// <param name="context">(N, C); used if <see cref="ContextSize"/> is not 0.</param>
    /// <returns>(N, 1), or (1, 1) if it is the same for all.</returns>
    /// <exception cref="OnnxExportException">The density does not say it.</exception>
    public OnnxValue ToOnnx(OnnxValue z, OnnxValue? context = null)
    {
        ArgumentNullException.ThrowIfNull(z);
        CheckAlive();
        using var _ = z.Graph.Within(this);
        return this is IOnnxDensity writing ? writing.WriteOnnx(z, ContextSize > 0 ? context : null) : throw new OnnxExportException(
            $"does not say how it is written as a graph of ONNX. Implement {nameof(IOnnxDensity)} in {GetType().Name}.", this);
    }
}
