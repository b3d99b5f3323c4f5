using Microsoft.ML;
using RealNvp.ML.Scoring;

namespace RealNvp.ML;

/// <summary>Normalizing flows among the trainers and transformers of an <c>MLContext</c>.</summary>
public static class NormalizingFlowCatalog
{
    /// <summary>A trainer of an anomaly detector of normalizing flows.</summary>
    /// <remarks>
    /// <para><c>mlContext.Transforms.Concatenate("Features", "A",
    /// "B").Append(mlContext.AnomalyDetection.Trainers.NormalizingFlow())</c></para>
    /// <para>It learns from all rows that it is given, which should be ordinary; a few anomalies among them do little harm. Columns are
    /// standardized by the flows themselves, so no normalization is needed before.</para>
    /// </remarks>
    /// <param name="catalog"><c>mlContext.AnomalyDetection.Trainers</c>.</param>
    /// <param name="featureColumnName">A column of vectors of <see cref="float"/> of known size.</param>
    /// <param name="options">What to do otherwise; null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="NotSupportedException">A version of ML.NET that does not say which <c>MLContext</c> a catalog is of; the message
    /// says what to call.</exception>
    public static NormalizingFlowTrainer NormalizingFlow(this AnomalyDetectionCatalog.AnomalyDetectionTrainers catalog,
        string featureColumnName = "Features", NormalizingFlowOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new(CatalogEnvironment.Of(catalog), featureColumnName, options);
    }

    /// <summary>A detector as a transformer: columns <c>LogDensity</c>, <c>Score</c> and <c>PredictedLabel</c>.</summary>
    /// <param name="detector">A detector, whose columns are the slots of the features. It stays the caller's, and must live as long as the
    /// transformer.</param>
    /// <param name="featureColumnName">A column of vectors of <see cref="float"/> of as many slots.</param>
    /// <param name="falseAlarms">The share of ordinary rows that may be called anomalies; null for 0.01, or for the smallest share that the
    /// rows of the calibration can tell.</param>
    /// <exception cref="Onnx.OnnxExportException">A flow has no graph of ONNX, by which the transformer is saved.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The rows of the calibration cannot tell so small a share.</exception>
    public static NormalizingFlowTransformer ToTransformer(this AnomalyDetector detector, string featureColumnName = "Features",
        double? falseAlarms = null)
    {
        ArgumentNullException.ThrowIfNull(detector);
        ArgumentException.ThrowIfNullOrEmpty(featureColumnName);
        return new(new DetectorScorer(detector, falseAlarms), featureColumnName, owned: null);
    }

    /// <summary>A trained flow as a transformer: columns <c>LogDensity</c>, log p(x) in nats, and <c>Score</c>, its negative. For a
    /// <c>PredictedLabel</c> make a detector of it: <c>AnomalyDetector.Calibrate(flow, ordinaryRows).ToTransformer()</c>.</summary>
    /// <param name="flow">A flow of vectors without a context. It stays the caller's, and must live as long as the transformer.</param>
    /// <param name="featureColumnName">A column of vectors of <see cref="float"/> of as many slots as the flow has features.</param>
    /// <exception cref="Onnx.OnnxExportException">The flow has no graph of ONNX, by which the transformer is saved.</exception>
    /// <exception cref="ArgumentException">A flow of images, or one with a context.</exception>
    public static NormalizingFlowTransformer ToTransformer(this Flow flow, string featureColumnName = "Features")
    {
        ArgumentNullException.ThrowIfNull(flow);
        ArgumentException.ThrowIfNullOrEmpty(featureColumnName);
        return new(new FlowScorer(flow), featureColumnName, owned: null);
    }
}
