using RealNvp.Scoring;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Scorers;

/// <summary>The models that the package without libtorch is held to: the presets, and options that no preset has.</summary>
public static class ScorerModels
{
    /// <summary>Presets that it does not compute, by the part that is missing: the table of docs/scoring-without-libtorch.md.</summary>
    public static IReadOnlyDictionary<string, string> Refused { get; } = new Dictionary<string, string>
    {
        ["NICE, Mnist"] = "UniformDequantization",
        ["Residual, Toy2D"] = "ResidualFlowModel",
        ["Residual, Tabular, context"] = "ResidualFlowModel",
        ["FFJORD, Toy2D"] = "FfjordModel",
        ["FFJORD, Matching2D"] = "FfjordModel",
        ["FFJORD, Tabular"] = "FfjordModel",
        ["FFJORD, Torus"] = "FfjordModel",
        ["FFJORD, Sphere"] = "FfjordModel",
    };

    /// <summary>What no preset has.</summary>
    public static IReadOnlyDictionary<string, ModelOptions> More { get; } = new Dictionary<string, ModelOptions>
    {
        ["Additive, scaled, halves"] = RealNvpOptions.Tabular(5) with { Layers = 3, Hidden = 16, Coupling = CouplingKind.Additive,
            DiagonalScaling = true, VectorMask = VectorMask.Halves, Base = BaseDensityKind.StandardLogistic },
        ["Shift first, diagonal normal"] = RealNvpOptions.Toy2D with { Order = AffineOrder.ShiftThenScale,
            Base = BaseDensityKind.DiagonalNormal },
        ["Logit, mixture"] = RealNvpOptions.Toy2D with { LogitAlpha = 0.05, Base = BaseDensityKind.GaussianMixture, BaseComponents = 3,
            Blocks = 0 },
        ["Conditional normal"] = RealNvpOptions.Tabular(3) with { Layers = 2, Hidden = 9, ContextSize = 4,
            Base = BaseDensityKind.DiagonalNormal },
        ["Conditional mixture"] = RealNvpOptions.Tabular(3) with { Layers = 2, Hidden = 9, ContextSize = 2, StandardizeContext = false,
            Base = BaseDensityKind.GaussianMixture, BaseComponents = 4 },
        ["Resampled"] = RealNvpOptions.Toy2D with { Layers = 2, Base = BaseDensityKind.ResampledNormal },
        ["Spline in a box"] = SplineFlowOptions.Toy2D with { Base = BaseDensityKind.UniformBox },
        ["Spline, circles and normals"] = SplineFlowOptions.Torus(4) with { CircularFeatures = [1], Layers = 4, Hidden = 12,
            Standardize = true },
        ["MAF, splines in a box"] = MafOptions.SplineTabular(3) with { Standardize = false, Hidden = 16, Layers = 2,
            Base = BaseDensityKind.UniformBox },
        ["MAF, one feature"] = MafOptions.Tabular(1) with { Layers = 2, Hidden = 8 },
        ["IAF, mixture, context"] = IafOptions.Tabular(3) with { Layers = 2, Hidden = 16, ContextSize = 1,
            Transformer = AutoregressiveKind.Mixture },
        ["Wide, one row of vectors"] = RealNvpOptions.Tabular(33) with { Layers = 2, Hidden = 130 },
    };

    private static IReadOnlyDictionary<string, ModelOptions> Presets { get; } = PresetTable.All.Where(p => !p.Value.IsImage)
        .ToDictionary(p => p.Key, p => p.Value);

    public static IEnumerable<string> Names => [.. Presets.Keys.Except(Refused.Keys), .. More.Keys];

    public static TheoryData<string> Computed => [.. Names];

    public static TheoryData<string> RefusedNames => [.. Refused.Keys];

    public static ModelOptions Options(string name) => More.GetValueOrDefault(name) ?? Presets[name];

    /// <summary>A model in evaluation mode and float32, with weights and statistics far from their initial values.</summary>
    public static FlowModel Create(string name)
    {
        manual_seed(1);
        var model = Options(name).NewModel();
        RandomWeights.Draw(model, 2, 0.05);
        model.eval();
        return model;
    }

    /// <summary>The scorer of a model, by way of a file.</summary>
    public static FlowScorer Load(FlowModel model)
    {
        using var folder = new TemporaryFolder();
        var path = folder.At("model.safetensors");
        model.Save(path);
        return FlowScorer.Load(path);
    }

    /// <summary>Rows that a model accepts, (N, D).</summary>
    public static Tensor Rows(ModelOptions options, long count)
    {
        var x = PresetTable.Examples(options, count);
        var logit = options is RealNvpOptions { LogitAlpha: not null };
        using (x) return logit ? x.sigmoid() : options.Base == BaseDensityKind.UniformBox ? x.clamp(-2.9, 2.9) : x.clone();
    }
}
