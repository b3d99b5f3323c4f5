using RealNvp.Layers;
using RealNvp.Onnx;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>The layer as a graph of ONNX.</content>
public abstract partial class Bijection
{
    /// <summary>
    /// Writes Forward or Inverse in evaluation mode as a graph of ONNX: as the layer says it (<see cref="IOnnxBijection"/>), or, of a layer
    /// that only moves values (<see cref="MovesValues"/>), as what it does to numbered elements. For layers that are made of others and
    /// write themselves; a flow writes all by <c>Flow.ExportOnnx</c>.
    /// </summary>
    /// <param name="input">x, or z if <paramref name="inverse"/> is true: (N, ...).</param>
    /// <param name="context">(N, C); used if <see cref="ContextSize"/> is not 0.</param>
    /// <param name="inverse">The direction.</param>
    /// <returns>The value, and the log-determinant (N, 1), or (1, 1) if it is the same for all examples, or null if it is 0.</returns>
    /// <exception cref="OnnxExportException">The layer, or a part of it, has no graph in this direction; the message names it.</exception>
    public (OnnxValue Value, OnnxValue? LogDet) ToOnnx(OnnxValue input, OnnxValue? context = null, bool inverse = false)
    {
        ArgumentNullException.ThrowIfNull(input);
        CheckAlive();
        using var _ = input.Graph.Within(this);
        if (this is IOnnxBijection writing) return writing.WriteOnnx(input, ContextSize > 0 ? context : null, inverse);
        if (MovesValues) return (input.Moved(x => Run(x, Pass.Here(null), inverse).Value.alias()), null);
        throw new OnnxExportException(
            $"does not say how it is written as a graph of ONNX. Implement {nameof(IOnnxBijection)} in {GetType().Name}, or leave the " +
            $"layer out of a flow that is exported.", this);
    }
}
