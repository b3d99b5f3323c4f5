using Microsoft.ML;
using Microsoft.ML.Data;

namespace RealNvp.PublicTests.ML;

/// <summary>A row of a noisy circle; anomalies lie outside of it.</summary>
public sealed class PipelineRow
{
    public int Id { get; set; }

    public float A { get; set; }

    public float B { get; set; }

    public float Same { get; set; } = 7;

    public float Label { get; set; }

    public static PipelineRow[] Circle(int ordinary, int anomalies = 0)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, ordinary + anomalies).Select(i =>
        {
            var (angle, odd) = (random.NextDouble() * Math.Tau, i >= ordinary);
            var radius = odd ? 2 + random.NextDouble() : 1 + (0.05 * random.NextDouble());
            return new PipelineRow
            {
                Id = i, Label = odd ? 1 : 0, A = (float)(100 + (5 * radius * Math.Cos(angle))), B = (float)(radius * Math.Sin(angle)),
            };
        })];
    }

    public static IEstimator<ITransformer> Features(MLContext context, params string[] columns) =>
        context.Transforms.Concatenate("Features", columns);
}

/// <summary>What comes out.</summary>
public sealed class ScoredRow
{
    public int Id { get; set; }

    public float LogDensity { get; set; }

    public float Score { get; set; }

    public bool PredictedLabel { get; set; }
}

/// <summary>A row of vectors.</summary>
public sealed class VectorRow
{
    [VectorType(2)]
    public float[] Features { get; set; } = [];
}
