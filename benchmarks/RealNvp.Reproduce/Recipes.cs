namespace RealNvp.Reproduce;

/// <summary>All recipes. A new one is a row here.</summary>
internal static class Recipes
{
    private const string Spline = "arXiv 1906.04032, table 1", Maf = "arXiv 1705.07057, table 1";

    private static readonly TrainingOptions patches = new()
    {
        BatchSize = 512, LearningRate = 5e-4, Schedule = new CosineSchedule(), Epochs = 100_000, MaxSteps = 100_000, AverageDecay = 0.999,
    };

    public static IReadOnlyList<Recipe> All { get; } =
    [
        new("bsds300-spline-coupling", "RQ-NSF (C)", DataSets.Bsds300, d => SplineFlowOptions.HepmassOrBsds300(d.Features) with { Standardize = true })
        { Paper = 157.54, Source = Spline, Training = patches, Minutes = 300 },
        new("bsds300-realnvp", "Real NVP (10)", DataSets.Bsds300, d => RealNvpOptions.Tabular(d.Features) with { Base = BaseDensityKind.StandardNormal, Hidden = 512 })
        { Paper = 153.28, Source = Maf, Training = patches, Minutes = 200 },
        new("bsds300-maf", "MAF (5)", DataSets.Bsds300, d => MafOptions.Tabular(d.Features) with { Base = BaseDensityKind.StandardNormal, Hidden = 512 })
        { Paper = 155.69, Source = Maf, Training = patches, Minutes = 200 },
        .. new[] { DataSets.Power, DataSets.Gas, DataSets.Miniboone, DataSets.Protein }.SelectMany(Table),
    ];

    // the families that nflows and zuko have too, of the same sizes
    private static IEnumerable<Recipe> Table(DataSet data)
    {
        var name = data.Name.ToLowerInvariant();
        yield return new($"{name}-maf", "MAF (5)", data, d => MafOptions.Tabular(d.Features, d.Train.shape[0]));
        yield return new($"{name}-spline-coupling", "RQ-NSF (C)", data, d => SplineFlowOptions.Tabular(d.Features, d.Train.shape[0]));
        yield return new($"{name}-spline-autoregressive", "RQ-NSF (AR)", data, d => MafOptions.SplineTabular(d.Features, d.Train.shape[0]));
    }
}
