using RealNvp.Internal;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>The detector as a graph of ONNX.</content>
public sealed partial class AnomalyDetector
{
    /// <summary>Writes the detector to an ONNX file, for runtimes without libtorch. The file is replaced in one step.</summary>
    /// <remarks>Input: <c>x</c> (N, D), with all <see cref="Columns"/>. Outputs: <c>score</c> and <c>log_prob</c>, (N, 1) each: the mean of
    /// log p over the members. A row with NaN or infinity, which <c>Score</c> refuses, gets NaN. P-values need the rows that were kept
    /// aside, and are not in the file: compare scores with <see cref="Threshold"/>.</remarks>
    /// <param name="path">The file, usually <c>*.onnx</c>.</param>
    /// <param name="dtype">What it takes, computes in and gives: float32, or float64 for columns whose digits float32 does not hold, such
    /// as seconds since 1970.</param>
    /// <exception cref="ArgumentException">Another dtype.</exception>
    /// <exception cref="OnnxExportException">A flow has no graph; a file that is there stays as it is.</exception>
    /// <exception cref="IOException">The file cannot be written; one that is there stays as it is.</exception>
    /// <exception cref="ObjectDisposedException">The detector, or the flow that it was made of, is disposed.</exception>
    public void ExportOnnx(string path, ScalarType dtype = ScalarType.Float32)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var graph = new OnnxGraph(nameof(AnomalyDetector), dtype);
        var (score, logProb) = ToOnnx(graph.Input("x", EventShape.Create(Columns.Count)));
        graph.AddOutput("score", score);
        graph.AddOutput("log_prob", logProb);
        graph.Save(path);
    }

    /// <summary>Writes it into a graph, to which more can be added.</summary>
    /// <param name="x">(N, D), with all <see cref="Columns"/>.</param>
    /// <returns>The scores and the means of log p over the members, (N, 1) each.</returns>
    /// <exception cref="OnnxExportException">A flow has no graph.</exception>
    /// <exception cref="ArgumentException">Rows of another shape.</exception>
    public (OnnxValue Score, OnnxValue LogProb) ToOnnx(OnnxValue x)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (x.Shape.Count != 2 || x.Shape[1] != Columns.Count)
            throw new ArgumentException($"The detector takes rows of {Columns.Count} numbers; got {x}.", nameof(x));
        var graph = x.Graph;
        var rows = kept.Length == Columns.Count ? x : x.Gather(1, [.. kept.Select(k => (long)k)]);
        OnnxValue? logProb = null, score = null;
        foreach (var member in members)
        {
            var (latent, logDet) = member.ToOnnx(rows);
            logProb = OnnxValue.Sum(logProb, latent + logDet);
            score = OnnxValue.Sum(score, Kind == AnomalyScoreKind.Latent ? IsFinite(logDet).Where(latent, latent + logDet)
                : latent + logDet);
        }
        var negative = score! * (-1.0 / members.Length);
        if (Kind == AnomalyScoreKind.Typicality) negative = (negative - typical).Abs();
        var (highest, least) = (graph.Constant(double.PositiveInfinity), graph.Constant(double.NegativeInfinity));
        (score, logProb) = (IsNumber(negative).Where(negative, highest), logProb! * (1.0 / members.Length));
        logProb = IsNumber(logProb).Where(logProb, least);
        for (var c = 0; c < Columns.Count; c++)
            if (Columns[c].Constant is { } constant)
            {
                var same = x.Narrow(1, c, 1).Same(x.Type == ScalarType.Float32 ? (float)constant : constant);
                (score, logProb) = (same.Where(score, highest), same.Where(logProb, least));
            }
        var missing = x.Faults();
        return (score + missing, logProb + missing);
    }

    private static OnnxValue IsNumber(OnnxValue x) => x.LessOrEqual(x);

    private static OnnxValue IsFinite(OnnxValue x) => x.Abs().LessOrEqual(x.Type == ScalarType.Float32 ? float.MaxValue : double.MaxValue);
}
