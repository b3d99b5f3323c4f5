using Microsoft.ML.Data;
using RealNvp.Onnx;

namespace RealNvp.ML.Scoring;

/// <summary>Something that scores rows, in batches and as a graph of ONNX.</summary>
internal abstract class RowScorer
{
    public const string LogDensityName = "LogDensity", ScoreName = "Score", LabelName = "PredictedLabel";

    /// <summary>The number of numbers of a row.</summary>
    public abstract int Features { get; }

    public virtual AnomalyDetector? Detector => null;

    public virtual float? Threshold => null;

    public virtual double? FalseAlarms => null;

    /// <summary>The columns that are added.</summary>
    public IEnumerable<(string Name, DataViewType Type)> Outputs =>
    [
        (LogDensityName, NumberDataViewType.Single), (ScoreName, NumberDataViewType.Single),
        .. Threshold is null ? Array.Empty<(string, DataViewType)>() : [(LabelName, BooleanDataViewType.Instance)],
    ];

    /// <summary>Whether a score is that of an anomaly.</summary>
    public bool Label(float score) => float.IsNaN(score) || score >= Threshold;

    /// <summary>Scores of finite rows.</summary>
    public abstract void Score(ReadOnlySpan<float> rows, Span<double> scores, Span<double> logDensity);

    /// <summary>(N, 1) each.</summary>
    public abstract (OnnxValue Score, OnnxValue LogDensity) Write(OnnxValue x);

    /// <summary>What a column of Single holds: no infinity, which means and sums would not survive.</summary>
    public static float Bounded(double score) => (float)Math.Clamp(score, float.MinValue, float.MaxValue);
}
