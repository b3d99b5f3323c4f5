using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.Trainers;
using RealNvp.Onnx;

namespace RealNvp.ML.Scoring;

/// <summary>A scorer as transformers of ML.NET's own, which any process with ML.NET loads: a graph of ONNX that gives a vector, and
/// linear models that take its numbers apart.</summary>
/// <remarks>The transformer for ONNX gives vectors alone, and evaluations take scalars. A linear model is what makes a scalar of a vector
/// among the transformers that ML.NET saves.</remarks>
internal static class SavedChain
{
    private const string Vector = "NormalizingFlow.Outputs";

    private const float Feature = 1L << 60;

    // throws if there is no native library for ONNX
    private static void RequireRuntime()
    {
        try { OrtEnv.Instance(); }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException
            or TypeInitializationException)
        {
            throw new InvalidOperationException(
                "The native library of OnnxRuntime, by which ML.NET saves and runs the model, was not found. Add the package " +
                "Microsoft.ML.OnnxRuntime (or Microsoft.ML.OnnxRuntime.Gpu) to the application.", e);
        }
    }

    /// <summary>Throws if this ML.NET cannot make what is saved: before a training, which would be lost.</summary>
    /// <exception cref="InvalidOperationException">A native library is missing; the message names the package to add.</exception>
    /// <exception cref="NotSupportedException">Another version of ML.NET trains in another way.</exception>
    public static void Require()
    {
        RequireRuntime();
        Taking(new MLContext(), 0, 2);
    }

    /// <summary>The transformers of a scorer. Its graph is written now, so that what has none is refused; they are made of it when they are
    /// asked for, which takes as long as a small training.</summary>
    public static Lazy<TransformerChain<ITransformer>> Of(RowScorer scorer, string feature)
    {
        RequireRuntime();
        var (graph, width) = Graph(scorer, feature);
        var (bytes, features) = (graph.ToArray(), scorer.Features);
        return new(() => Made(bytes, width, feature, features));
    }

    private static TransformerChain<ITransformer> Made(byte[] graph, int width, string feature, int size)
    {
        var context = new MLContext();
        using var stream = new MemoryStream(graph);
        var features = SchemaDefinition.Create(typeof(OneRow));
        features[0].ColumnName = feature;
        features[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, size);
        IDataView none = context.Data.LoadFromEnumerable(Array.Empty<OneRow>(), features);
        List<ITransformer> all = [];
        void Add(IEstimator<ITransformer> step) => Then(step.Fit(none));
        void Then(ITransformer step)
        {
            all.Add(step);
            none = step.Transform(none);
        }
        Add(context.Transforms.ApplyOnnxModel([Vector], [feature], stream));
        Then(Taking(context, 0, width));
        Add(context.Transforms.CopyColumns(RowScorer.LogDensityName, RowScorer.ScoreName));
        if (width > 2)
        {
            Then(Taking(context, 2, width));
            // without a fraction, as ML.NET reads it in the culture of whoever loads it
            Add(context.Transforms.Expression(RowScorer.LabelName, "x => x > 0", RowScorer.ScoreName));
        }
        Then(Taking(context, 1, width));
        Add(context.Transforms.DropColumns(Vector));
        return new([.. all]);
    }

    // log-density, score, and 1 for an anomaly, -1 for none
    private static (OnnxGraph Graph, int Width) Graph(RowScorer scorer, string feature)
    {
        var graph = new OnnxGraph("NormalizingFlow") { Description = "Log-densities in nats, scores, and 1 for an anomaly, -1 for none." };
        var x = graph.Input(feature, EventShape.Create(scorer.Features));
        var (score, logDensity) = scorer.Write(x);
        if (graph.Inputs.Count > 1)
            throw new OnnxExportException(
                "A flow that dequantizes takes noise, which a transformer has not. Take a flow of continuous numbers.");
        OnnxValue[] parts = [Bounded(logDensity), Bounded(score)];
        if (scorer.Threshold is { } threshold)
            parts = [.. parts, (2 * score.GreaterOrEqual(threshold).Or(score.LessOrEqual(score).Not()).To(score.Type)) - 1];
        graph.AddOutput(Vector, OnnxValue.Concat(1, parts));
        return (graph, parts.Length);
    }

    private static OnnxValue Bounded(OnnxValue x) => x.Clip(float.MinValue, float.MaxValue);

    // The model that gives one of the numbers, as ML.NET lets nobody else build one: a step of gradient descent from zero, for one row, by
    // which the weight becomes 2 · rate · label · feature = 1 exactly, and the bias 2⁻⁶⁰, far below what a score is good to.
    private static RegressionPredictionTransformer<LinearRegressionModelParameters> Taking(MLContext context, int place, int width)
    {
        var model = context.Regression.Trainers.OnlineGradientDescent(new OnlineGradientDescentTrainer.Options
        {
            FeatureColumnName = Vector, LabelColumnName = nameof(Step.Label), LossFunction = new SquaredLoss(),
            LearningRate = 0.5f, DecreaseLearningRate = false, NumberOfIterations = 1, L2Regularization = 0,
        }).Fit(Rows(context, place, width));
        CheckTaking(model.Model.Weights, model.Model.Bias, place, width);
        return model;
    }

    /// <summary>Throws if a linear model does not give the number at a place.</summary>
    internal static void CheckTaking(IEnumerable<float> weights, float bias, int place, int width)
    {
        if (weights.SequenceEqual(Enumerable.Range(0, width).Select(i => i == place ? 1f : 0f)) && Math.Abs(bias) <= 1 / Feature) return;
        throw new NotSupportedException(
            $"{CatalogEnvironment.Version} trains linear models in another way than version 5.0, so that no transformer of flows can be " +
            "saved. Use version 5.0 of Microsoft.ML, and report it.");
    }

    private static IDataView Rows(MLContext context, int place, int width)
    {
        var numbers = new float[width];
        numbers[place] = Feature;
        var schema = SchemaDefinition.Create(typeof(Step));
        schema[nameof(Step.Outputs)].ColumnName = Vector;
        // as the transformer for ONNX gives it
        schema[Vector].ColumnType = new VectorDataViewType(NumberDataViewType.Single, 1, width);
        return context.Data.LoadFromEnumerable(new[] { new Step { Outputs = numbers, Label = 1 / Feature } }, schema);
    }

    private sealed class OneRow
    {
        public float[] Features { get; set; } = [];
    }

    private sealed class Step
    {
        public float[] Outputs { get; set; } = [];

        public float Label { get; set; }
    }
}
