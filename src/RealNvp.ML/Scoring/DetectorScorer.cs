using RealNvp.Onnx;

namespace RealNvp.ML.Scoring;

/// <summary>Scores by a detector, with a label by its calibration.</summary>
internal sealed class DetectorScorer : RowScorer
{
    private const double Usual = 0.01;

    private readonly AnomalyDetector detector;
    private readonly double falseAlarms;

    public DetectorScorer(AnomalyDetector detector, double? falseAlarms)
    {
        this.detector = detector;
        this.falseAlarms = falseAlarms ?? Math.Max(Usual, detector.SmallestPValue);
        Threshold = Above(detector.Threshold(this.falseAlarms));
    }

    public override int Features => detector.Columns.Count;

    public override AnomalyDetector Detector => detector;

    public override float? Threshold { get; }

    public override double? FalseAlarms => falseAlarms;

    public override void Score(ReadOnlySpan<float> rows, Span<double> scores, Span<double> logDensity) =>
        detector.ScoreInto(rows, scores, logDensity);

    public override (OnnxValue Score, OnnxValue LogDensity) Write(OnnxValue x) => detector.ToOnnx(x);

    // the smallest Single that is no smaller
    private static float Above(double threshold)
    {
        var single = (float)threshold;
        return single < threshold ? MathF.BitIncrement(single) : single;
    }
}
