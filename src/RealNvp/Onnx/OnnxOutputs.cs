namespace RealNvp.Onnx;

/// <summary>What the graph of a flow gives. Those of the first three can be had together; a graph that decodes is one of its own.</summary>
[Flags]
public enum OnnxOutputs
{
    /// <summary>Nothing, which is refused.</summary>
    None = 0,

    /// <summary>From <c>x</c> (N, ...): <c>log_prob</c> (N, 1), log p(x) in nats.</summary>
    LogProb = 1,

    /// <summary>From <c>x</c> (N, ...): <c>z</c>, the latents, in the shape of <c>LatentShape</c>.</summary>
    Encode = 2,

    /// <summary>From <c>x</c>, or from <c>z</c> if the graph decodes: <c>log_det</c> (N, 1), the log-determinant of the map.</summary>
    LogDet = 4,

    /// <summary>From <c>z</c> (N, ...): <c>x</c>, the data.</summary>
    Decode = 8,
}
