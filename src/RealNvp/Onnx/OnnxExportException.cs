namespace RealNvp.Onnx;

/// <summary>A part of a flow has no ONNX graph; the message names the part and says what to do.</summary>
public sealed class OnnxExportException : NotSupportedException
{
    /// <summary>Says that a part cannot be written.</summary>
    /// <param name="message">Which part, why, and what to do.</param>
    public OnnxExportException(string message) : base(message) { }

    internal OnnxExportException(string reason, TorchSharp.torch.nn.Module part) : base($"{part.GetName()} {reason}") =>
        (Reason, Part) = (reason, part);

    internal OnnxExportException(string message, Exception inner) : base(message, inner) { }

    /// <summary>The part, whose place in the flow the flow says.</summary>
    internal TorchSharp.torch.nn.Module? Part { get; }

    /// <summary>The message without the name of the part.</summary>
    internal string? Reason { get; }
}
