namespace RealNvp.Anomalies;

/// <summary>What a member of a detector is by default, and how it
/// is trained: docs/decisions has the tables that it was chosen on.</summary>
internal static class AnomalyPreset
{
    /// <summary>The model.</summary>
    public static ModelOptions Model(long columns, long rows) => columns == 1
        // a coupling needs two columns
        ? MafOptions.SplineTabular(1, rows) with { Layers = 1, Hidden = 32 }
        : RealNvpOptions.Tabular(columns, rows) with { Layers = 6, Hidden = 32, Blocks = 1, Base = BaseDensityKind.StandardNormal };

    /// <summary>The training.</summary>
    public static TrainingOptions Training(ModelOptions model, long seed) =>
        TrainingOptions.For(model) with { Seed = seed, BatchSize = 128, Epochs = 120, Patience = 15, MaxSteps = 2_000 };

    /// <summary>Whether a member sees whitened columns: every second one, beginning with the first.</summary>
    public static bool IsWhitened(int member, int columns) => columns > 1 && member % 2 == 0;
}
