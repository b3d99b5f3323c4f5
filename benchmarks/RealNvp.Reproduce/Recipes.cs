namespace RealNvp.Reproduce;

/// <summary>All recipes. A new one is a row here.</summary>
internal static class Recipes
{
    private const string Spline = "arXiv 1906.04032, table 1", Maf = "arXiv 1705.07057, table 1";

    public static IReadOnlyList<Recipe> All { get; } =
    [
        new("bsds300-spline-coupling", "RQ-NSF (C)", DataSets.Bsds300,
            d => SplineFlowOptions.HepmassOrBsds300(d.Features) with { Standardize = true })
        { Paper = 157.54, Source = Spline, Training = o => Patches(o, 40_000), RowsPerEpoch = 512_000,
            Minutes = 120,
            Remark = "A tenth of the paper's steps, of half as many patches: 40,000 of 256 at 1e-3 with a cosine schedule and averaged " +
                "weights, where the paper has 400,000 of 512 at 5e-4 with dropout of 0.2. Patches are drawn anew, so none is learned by " +
                "heart: what is lost from rows of the training to those that validate, the Gaussian loses too.",
        },
        new("bsds300-maf", "MAF (5)", DataSets.Bsds300, d => MafOptions.Tabular(d.Features) with { Base = BaseDensityKind.StandardNormal,
            Hidden = 512, Blocks = 1, Residual = false, InputLimit = null })
        { Paper = 155.69, Source = Maf, Training = o => Patches(o, 40_000), RowsPerEpoch = 512_000, Minutes = 240,
            Remark = "Two hidden layers of 512 as in the paper, without its batch normalization. Validation still rose by 0.01 nats an " +
                "epoch at the end of the cosine schedule." },
        new("bsds300-realnvp", "Real NVP (10)", DataSets.Bsds300,
            d => RealNvpOptions.Tabular(d.Features) with { Base = BaseDensityKind.StandardNormal, Hidden = 512, Blocks = 1,
                InputLimit = null })
        { Paper = 153.28, Source = Maf, Training = o => Patches(o, 40_000), RowsPerEpoch = 512_000, Minutes = 240,
            Remark = "Hidden layers of 512 as in the paper, without its batch normalization, in couplings of our preset." },
        .. new[] { DataSets.Power, DataSets.Gas, DataSets.Miniboone, DataSets.Protein }.SelectMany(Table),
        .. TwoDRecipes.All,
        .. ImageRecipes.All,
    ];

    private static TrainingOptions Patches(TrainingOptions o, long steps) => o with
    {
        BatchSize = 256, LearningRate = 1e-3, Schedule = new CosineSchedule { WarmUpSteps = 200 }, Epochs = 100_000, MaxSteps = steps,
            AverageDecay = 0.999,
    };

    // the families that nflows and zuko have too, of the same sizes; the budgets are those of benchmarks/peers/tables.py
    private static IEnumerable<Recipe> Table(DataSet data)
    {
        (string Name, string Title, Func<Splits, ModelOptions> Model)[] models =
        [
            ("maf", "MAF (5)", d => MafOptions.Tabular(d.Features, d.Train.shape[0])),
            ("spline-coupling", "RQ-NSF (C)", d => SplineFlowOptions.Tabular(d.Features, d.Train.shape[0])),
            ("spline-autoregressive", "RQ-NSF (AR)", d => MafOptions.SplineTabular(d.Features, d.Train.shape[0])),
        ];
        if (data == DataSets.Miniboone)
            models = [.. models, ("spline-coupling-dropout", "RQ-NSF (C), paper's sizes, dropout 0.2",
                _ => SplineFlowOptions.Miniboone with { Standardize = true, Bound = 5, Dropout = 0.2 })];
        if (data == DataSets.Miniboone || data == DataSets.Power)
            models = [.. models, ("spline-coupling-plain", "RQ-NSF (C), no linear layers",
                d => SplineFlowOptions.Tabular(d.Features, d.Train.shape[0]) with { Linear = false })];
        foreach (var (name, title, model) in models)
        {
            var beside = title.Contains(',', StringComparison.Ordinal) ? title[..title.IndexOf(',', StringComparison.Ordinal)] : null;
            var recipe = new Recipe($"{data.Name.ToLowerInvariant()}-{name}", title, data, model) { Training = Rows, Beside = beside };
            yield return recipe with { Budget = "minutes" };
            yield return recipe with { Name = recipe.Name + "-updates", Budget = "updates", Minutes = 100,
                Training = o => Rows(o) with { MaxSteps = 1000 } };
        }
    }

    private static TrainingOptions Rows(TrainingOptions o) =>
        o with { BatchSize = 256, LearningRate = 1e-3, Epochs = 100_000, AverageDecay = 0.999, Patience = 20 };
}
