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

    /// <summary>Throws if there is no native library for ONNX.</summary>
    /// <exception cref="InvalidOperationException">The message names the package to add.</exception>
    public static void RequireRuntime()
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

    public static TransformerChain<ITransformer> Of(RowScorer scorer, string feature)
    {
        RequireRuntime();
        var context = new MLContext();
        var (graph, width) = Graph(scorer, feature);
        using var stream = new MemoryStream(graph.ToArray());
        var features = SchemaDefinition.Create(typeof(OneRow));
        features[0].ColumnName = feature;
        features[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, scorer.Features);
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
            Add(context.Transforms.Expression(RowScorer.LabelName, "x => x > 0.5f", RowScorer.ScoreName));
        }
        Then(Taking(context, 1, width));
        Add(context.Transforms.DropColumns(Vector));
        return new([.. all]);
    }

    // log-density, score, and 1 for an anomaly
    private static (OnnxGraph Graph, int Width) Graph(RowScorer scorer, string feature)
    {
        var graph = new OnnxGraph("NormalizingFlow") { Description = "Log-densities in nats, scores, and 1 for an anomaly." };
        var x = graph.Input(feature, EventShape.Create(scorer.Features));
        var (score, logDensity) = scorer.Write(x);
        if (graph.Inputs.Count > 1)
            throw new OnnxExportException(
                "A flow that dequantizes takes noise, which a transformer has not. Take a flow of continuous numbers.");
        OnnxValue[] parts = [Bounded(logDensity), Bounded(score)];
        if (scorer.Threshold is { } threshold)
            parts = [.. parts, score.GreaterOrEqual(threshold).Or(score.LessOrEqual(score).Not()).To(score.Type)];
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
        if (!model.Model.Weights.SequenceEqual(Enumerable.Range(0, width).Select(i => i == place ? 1f : 0f)))
            throw new NotSupportedException(
                "This version of ML.NET trains linear models in another way. Use version 5.0 of Microsoft.ML, or report it.");
        return model;
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
