using RealNvp.Onnx;

namespace RealNvp.ML.Scoring;

/// <summary>The log-density of a flow, and its negative as the score.</summary>
internal sealed class FlowScorer : RowScorer
{
    private readonly Flow flow;

    public FlowScorer(Flow flow)
    {
        if (flow.InputShape.Count != 1 || flow.ContextShape is not null)
            throw new ArgumentException(
                $"A transformer takes a flow of vectors without a context; got one of {flow.InputShape}" +
                $"{(flow.ContextShape is { } context ? $" with a context of {context}" : "")}.", nameof(flow));
        this.flow = flow;
    }

    public override int Features => (int)flow.InputShape[0];

    public override void Score(ReadOnlySpan<float> rows, Span<double> scores, Span<double> logDensity)
    {
        flow.LogProbInto(rows, logDensity);
        for (var i = 0; i < scores.Length; i++) scores[i] = -logDensity[i];
    }

    public override (OnnxValue Score, OnnxValue LogDensity) Write(OnnxValue x)
    {
        var logProb = flow.ToOnnx(x);
        return (-logProb, logProb);
    }
}
