using RealNvp.Internal;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>The flow as a part of a larger graph of ONNX.</content>
public partial class Flow
{
    /// <summary>Writes log p(x) into a graph, to which more can be added.</summary>
    /// <param name="x">(N, ...) in the shape of <see cref="InputShape"/>.</param>
    /// <param name="context">(N, C), as the flow's encoder of contexts gives it; null for a flow without a context.</param>
    /// <returns>(N, 1).</returns>
    /// <exception cref="OnnxExportException">A part of the flow has no graph; the message names it.</exception>
    public OnnxValue ToOnnx(OnnxValue x, OnnxValue? context = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (!x.Shape.Skip(1).SequenceEqual(InputShape))
            throw new ArgumentException($"{GetName()} takes examples of shape {InputShape}; got {x}.", nameof(x));
        if (context is null != (ContextSize == 0))
            throw new ArgumentException($"{GetName()} has a context of {ContextSize} number(s); got {context?.ToString() ?? "none"}.",
                nameof(context));
        var (latent, logDet) = OnnxParts(x, context);
        return OnnxValue.Sum(latent, logDet)!.Expand([-1, 1], x);
    }

    /// <summary>log p of the latents, and the log-determinant; null for 0.</summary>
    internal (OnnxValue Latent, OnnxValue? LogDet) OnnxParts(OnnxValue x, OnnxValue? context = null)
    {
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        x.Graph.Device = Weight?.device ?? CPU;
        try
        {
            var (z, logDet) = bijection.ToOnnx(x, context, false);
            return (base_density.ToOnnx(z, context), logDet);
        }
        catch (OnnxExportException e) when (e.Part is { } part)
        {
            throw new OnnxExportException($"{GetName()}: {PlaceOf(part)} {e.Reason}", e);
        }
    }
}
