using Microsoft.ML;
using Microsoft.ML.Runtime;
using RealNvp.ML.Scoring;

namespace RealNvp.ML;

/// <summary>Trains an <see cref="AnomalyDetector"/> in a pipeline of ML.NET:
/// <c>mlContext.AnomalyDetection.Trainers.NormalizingFlow()</c>.</summary>
/// <remarks>
/// Adds columns <c>LogDensity</c> (log p in nats, the mean over the flows), <c>Score</c> (the higher, the more unusual) and
/// <c>PredictedLabel</c> (true for an anomaly), which <c>mlContext.AnomalyDetection.Evaluate</c> takes.
/// </remarks>
public sealed class NormalizingFlowTrainer : IEstimator<NormalizingFlowTransformer>
{
    private const string Name = "NormalizingFlow";

    private readonly IHostEnvironment environment;
    private readonly string feature;
    private readonly NormalizingFlowOptions options;

    /// <summary>Makes what <c>mlContext.AnomalyDetection.Trainers.NormalizingFlow(...)</c> does.</summary>
    /// <param name="context">The source of seeds, and where messages go.</param>
    /// <param name="featureColumnName">A column of vectors of <see cref="float"/> of known size.</param>
    /// <param name="options">What to do otherwise; null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of its range, or the name is empty.</exception>
    public NormalizingFlowTrainer(MLContext context, string featureColumnName = "Features", NormalizingFlowOptions? options = null)
        : this((IHostEnvironment)(context ?? throw new ArgumentNullException(nameof(context))), featureColumnName, options) { }

    internal NormalizingFlowTrainer(IHostEnvironment environment, string featureColumnName, NormalizingFlowOptions? options)
    {
        ArgumentException.ThrowIfNullOrEmpty(featureColumnName);
        options ??= new();
        options.Validate();
        (this.environment, feature, this.options) = (environment, featureColumnName, options);
    }

    /// <summary>Trains.</summary>
    /// <param name="input">At least 30 rows, which should be ordinary.</param>
    /// <returns>The transformer. The caller disposes it, or the pipeline's model that it is a part of.</returns>
    /// <exception cref="ArgumentException">The column of features is missing, of another type, has NaN or infinity, or too few rows; the
    /// message names it.</exception>
    /// <exception cref="InvalidOperationException">A native library is missing; the message names the package to add.</exception>
    /// <exception cref="NotSupportedException">A version of ML.NET with which the transformer could not be saved.</exception>
    public NormalizingFlowTransformer Fit(IDataView input) => Fit(input, null);

    /// <summary>Trains, with reports of the progress.</summary>
    /// <param name="input">At least 30 rows, which should be ordinary.</param>
    /// <param name="progress">Hears of every batch, one flow after the other.</param>
    /// <param name="cancellationToken">Stops the training; the transformer is made of what was learned.</param>
    /// <inheritdoc cref="Fit(IDataView)" path="/exception"/>
    public NormalizingFlowTransformer Fit(IDataView input, IProgress<TrainingProgress>? progress,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(input);
        var features = FeatureColumn.Of(input.Schema, feature);
        TorchBackend.EnsureAvailable();
        SavedChain.Require();
        if (options.Detector.Model is { } model)
            using (var untrained = model.NewModel(0))
                // before the training, as a model that cannot be saved is of no use here
                _ = untrained.ToOnnx();
        var host = environment.Register(Name);
        var rows = features.Read(input);
        var settings = options.Detector with
        {
            Seed = options.Seed ?? host.Rand.Next(), Columns = options.Detector.Columns ?? features.Names(input.Schema),
        };
        var detector = Trained(rows, settings, progress, cancellationToken);
        try
        {
            Tell(host, detector);
            return new(new DetectorScorer(detector, options.FalseAlarms), feature, owned: detector);
        }
        catch
        {
            detector.Dispose();
            throw;
        }
    }

    /// <summary>The columns that a pipeline has behind the trainer.</summary>
    /// <param name="inputSchema">Those before.</param>
    /// <exception cref="ArgumentException">The column of features is missing or of another type.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        FeatureColumn.Check(inputSchema, feature);
        return OutputShape.Behind(inputSchema);
    }

    private AnomalyDetector Trained(DataRows rows, AnomalyOptions settings, IProgress<TrainingProgress>? progress,
        CancellationToken cancellationToken)
    {
        try { return AnomalyDetector.Fit(rows, settings, progress, cancellationToken); }
        catch (ArgumentException e)
        {
            // the name of the parameter, which is behind the message, comes again
            var said = e.ParamName is { } name ? e.Message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal) : e.Message;
            throw new ArgumentException($"Column '{feature}': {said}", nameof(rows), e);
        }
    }

    // to whoever listens to MLContext.Log
    private static void Tell(IHost host, AnomalyDetector detector)
    {
        using var channel = host.Start(Name);
        channel.Info(MessageSensitivity.Schema, detector.ToString());
        foreach (var warning in detector.Trainings.SelectMany(t => t.Warnings).Distinct())
            channel.Warning(MessageSensitivity.Schema, warning);
    }
}
