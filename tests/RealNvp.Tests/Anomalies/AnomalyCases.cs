namespace RealNvp.Tests.Anomalies;

/// <summary>Rows, and detectors of them.</summary>
internal static class AnomalyCases
{
    private static readonly Lazy<AnomalyDetector> shared = new(() => AnomalyDetector.Fit(Rows(500, 1), Quick));

    public static AnomalyOptions Quick { get; } = new()
    {
        Columns = ["east", "north", "count", "unit"], Members = 2, Jitter = 0.02,
        Model = SplineFlowOptions.Tabular(3, 300) with { Layers = 4, Hidden = 32, Blocks = 1 },
        Training = new TrainingOptions { Epochs = 35, BatchSize = 64, LearningRate = 5e-3, Patience = 100 },
        CalibrationFraction = 0.4, Score = AnomalyScoreKind.Density,
    };

    /// <summary>One for all tests that only ask it.</summary>
    public static AnomalyDetector Shared => shared.Value;

    /// <summary>Members that learn nothing: for what does not depend on the density.</summary>
    public static AnomalyOptions Tiny { get; } = new()
    {
        Model = RealNvpOptions.Tabular(3) with { Hidden = 4, Layers = 2, Blocks = 1 }, Members = 2,
        Training = new TrainingOptions { Epochs = 1 },
    };

    /// <summary>Three columns of continuous numbers.</summary>
    public static double[,] Rows3(int count, int seed)
    {
        var random = new Random(seed);
        var rows = new double[count, 3];
        for (var i = 0; i < count; i++)
            for (var c = 0; c < 3; c++) rows[i, c] = random.NextDouble() + (c > 0 ? rows[i, c - 1] : 0);
        return rows;
    }

    /// <summary>A ring, whole numbers, and a constant.</summary>
    public static double[,] Rows(int count, int seed)
    {
        var random = new Random(seed);
        var rows = new double[count, 4];
        for (var i = 0; i < count; i++)
        {
            var angle = 2 * Math.PI * random.NextDouble();
            rows[i, 0] = Math.Cos(angle) + (0.1 * (random.NextDouble() - 0.5));
            rows[i, 1] = Math.Sin(angle) + (0.1 * (random.NextDouble() - 0.5));
            rows[i, 2] = random.Next(5);
            rows[i, 3] = 5;
        }
        return rows;
    }
}
