using RealNvp.Internal;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Anomalies;

/// <summary>A flow of a detector, with the whitening before it.</summary>
/// <param name="Flow">Of vectors, without a context.</param>
/// <param name="Whitening">Null for none.</param>
internal sealed record DetectorMember(Flow Flow, Whitening? Whitening)
{
    /// <summary>Of each row, log p of the latents and the log-determinant, one after the other.</summary>
    /// <param name="rows">float64 (N, D) on the CPU, finite.</param>
    /// <param name="owner">The method that was called.</param>
    /// <param name="cancellationToken">Ends the call between two passes.</param>
    public double[] LogProbParts(Tensor rows, string owner, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        var x = Flow.ToWeights(Whitening?.Apply(rows) ?? rows);
        // noise of a dequantization is the same in each call
        var parts = Flow.LogProbParts(x, 0, owner, cancellationToken).FetchDoubles();
        if (Whitening is { } whitening)
            for (var i = 1; i < parts.Length; i += 2) parts[i] += whitening.LogDet;
        return parts;
    }

    /// <summary>The gradient of log p(x), or of log p of the latents alone, by each number of a row.</summary>
    public double[] Gradient(double[] row, bool ofLatents)
    {
        using var scope = NewDisposeScope();
        var x = tensor(row, [1, row.Length], device: CPU);
        var z = Flow.ToWeights(Whitening?.Apply(x) ?? x);
        var gradient = (ofLatents ? Flow.LatentGradient(z) : Flow.LogProbGradient(z, null)).FetchTensor().to(float64);
        return (Whitening?.Back(gradient) ?? gradient).FetchDoubles();
    }

    /// <summary>The same two as a graph of ONNX, (N, 1) each, from rows (N, D).</summary>
    public (OnnxValue Latent, OnnxValue LogDet) ToOnnx(OnnxValue rows)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var (latent, logDet) = Flow.OnnxParts(Whitening?.ToOnnx(rows) ?? rows);
        var sum = OnnxValue.Sum(logDet, Whitening is { } whitening ? rows.Graph.Constant(whitening.LogDet) : null)
            ?? rows.Graph.Constant(0);
        return (latent.Expand([-1, 1], rows), sum.Expand([-1, 1], rows));
    }
}
