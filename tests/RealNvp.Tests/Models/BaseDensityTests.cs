using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>Every model takes every base density, as an option that a file carries.</summary>
public class BaseDensityTests
{
    private static readonly IReadOnlyDictionary<string, ModelOptions> models = new Dictionary<string, ModelOptions>
    {
        ["RealNvp"] = RealNvpOptions.Tabular(4) with { Layers = 2, Hidden = 6, Blocks = 1 },
        ["RealNvp, context"] = RealNvpOptions.Tabular(4) with { Layers = 2, Hidden = 6, Blocks = 1, ContextSize = 2 },
        ["RealNvp, image"] = RealNvpOptions.Image([1, 4, 4], 2, 1, 3),
        ["Nice"] = NiceOptions.Tabular(4) with { Layers = 2, Hidden = 6 },
        ["Spline"] = SplineFlowOptions.Tabular(4) with { Layers = 2, Hidden = 6, Blocks = 1 },
        ["Spline, box"] = SplineFlowOptions.Tabular(4) with { Layers = 2, Hidden = 6, Blocks = 1, Standardize = false, Linear = false },
        ["Maf"] = MafOptions.Tabular(4) with { Layers = 2, Hidden = 6, Blocks = 1 },
        ["Maf, box"] = MafOptions.SplineTabular(4) with { Layers = 2, Hidden = 6, Blocks = 1, Standardize = false },
        ["Iaf"] = IafOptions.Tabular(4) with { Layers = 2, Hidden = 6, Blocks = 1, ContextSize = 2 },
        ["Iaf, box"] = IafOptions.SplineTabular(4) with { Layers = 2, Hidden = 6, Blocks = 1, Standardize = false },
        ["Ffjord"] = FfjordOptions.Tabular(4) with { Hidden = 4, TimeFrequencies = 0, Tolerance = 1e-11 },
        ["Ffjord, sphere"] = FfjordOptions.Sphere(4) with { Hidden = 4, TimeFrequencies = 0, Tolerance = 1e-11 },
        ["Residual"] = ResidualFlowOptions.Tabular(4) with { Layers = 2, Hidden = 5, HiddenLayers = 1 },
        ["Residual, image"] = ResidualFlowOptions.Digits8x8 with { Shape = [1, 2, 2], Layers = 1, Hidden = 2 },
        ["Glow"] = GlowOptions.Digits8x8 with { Shape = [1, 4, 4], Layers = 1, Hidden = 4 },
    };

    public static TheoryData<string, BaseDensityKind> All()
    {
        var data = new TheoryData<string, BaseDensityKind>();
        foreach (var model in models.Keys)
            foreach (var kind in Enum.GetValues<BaseDensityKind>()) data.Add(model, kind);
        return data;
    }

    private static bool Fits(string name, BaseDensityKind kind) => kind switch
    {
        BaseDensityKind.UniformBox => name.EndsWith("box", StringComparison.Ordinal),
        BaseDensityKind.UniformSphere => name.EndsWith("sphere", StringComparison.Ordinal),
        _ => true,
    };

    [Fact]
    public void Every_model_is_in_the_table() =>
        models.Values.Select(m => m.GetType()).Distinct().Should().BeEquivalentTo(typeof(ModelOptions).Assembly.GetTypes()
            .Where(t => t is { IsAbstract: false } && t.IsSubclassOf(typeof(ModelOptions))
                // its density is that of the state dict
                && t != typeof(ImportedOptions)));

    [Theory, MemberData(nameof(All))]
    public void Every_model_takes_every_density_and_a_box_only_where_its_map_is_one(string name, BaseDensityKind kind)
    {
        using var scope = NewDisposeScope();
        var options = models[name] with { Base = kind };
        if (!Fits(name, kind))
        {
            options.Invoking(o => o.Validate()).Should().Throw<ArgumentException>().WithMessage(kind == BaseDensityKind.UniformBox
                ? "*.Base needs a map of the box onto itself: splines*got UniformBox*"
                : "*.Base needs vectors*a map that keeps their length: FfjordModel*got UniformSphere*");
            return;
        }
        manual_seed(1);
        using var model = options.NewModel();
        RandomWeights.Draw(model, 2, 0.05);
        model.to(float64);
        model.eval();
        model.BaseDensity.GetType().Name.Should().Be(kind.ToString());
        (model.BaseDensity.Shape == model.LatentShape).Should().BeTrue();

        var context = PresetTable.Context(options, 2);
        var (x, logProb) = model.SampleAndLogProb(3, context, seed: 4);
        logProb.isfinite().all().item<bool>().Should().BeTrue();
        if (options.Levels > 0) return;   // a sample is rounded to integers there
        var rows = x.reshape(options.Shape.WithBatch(x.numel() / 4));
        model.LogProb(rows, context?.repeat_interleave(3, 0)).sub(logProb.flatten()).abs().max().item<double>().Should().BeLessThan(1e-8);
    }

    [Theory, MemberData(nameof(All))]
    public void A_file_carries_the_density_and_training_moves_its_weights(string name, BaseDensityKind kind)
    {
        if (!Fits(name, kind)) return;
        using var scope = NewDisposeScope();
        using var folder = new Infrastructure.TemporaryFolder();
        var options = models[name] with { Base = kind, BaseComponents = 3, BaseDegreesOfFreedom = 7.5 };
        using var model = options.NewModel();
        var context = PresetTable.Context(options, 6)?.to(float32);
        // in the box of splines
        var x = PresetTable.Examples(options, 6).to(float32);
        if (options.Levels == 0) x = x.clamp(-2.9, 2.9);
        model.train();
        model.NegativeLogLikelihood(x, context, seed: 1).backward();
        foreach (var (weight, parameter) in model.BaseDensity.named_parameters())
            parameter.grad.Should().NotBeNull("{0} is trained", weight);

        var path = folder.At("model.safetensors");
        model.Save(path);
        using var loaded = FlowModel.Load(path);
        loaded.ModelOptions.Should().Be(options);
        loaded.LogProb(x, context, seed: 2).equal(model.LogProb(x, context, seed: 2)).all().item<bool>().Should().BeTrue();
    }

    [Fact]
    public void A_record_of_an_older_file_has_the_density_that_it_had()
    {
        ModelOptions.FromJson<NiceOptions>("""{"Shape":[3],"Couplings":4}""").Base.Should().Be(BaseDensityKind.StandardLogistic);
        ModelOptions.FromJson<RealNvpOptions>("""{"Base":"StandardLogistic","Shape":[3]}""").Base.Should()
            .Be(BaseDensityKind.StandardLogistic);
        foreach (var options in new ModelOptions[] { ModelOptions.FromJson<RealNvpOptions>("""{"Shape":[3]}"""),
            ModelOptions.FromJson<MafOptions>("""{"Shape":[3]}"""), ModelOptions.FromJson<IafOptions>("""{"Shape":[3]}"""),
            ModelOptions.FromJson<SplineFlowOptions>("""{"Shape":[3]}"""), ModelOptions.FromJson<GlowOptions>("""{"Shape":[3,8,8]}""") })
        {
            options.Base.Should().Be(BaseDensityKind.StandardNormal);
            options.InputLimit.Should().BeNull();
        }
    }

    [Theory, InlineData("""{"Shape":[3],"BaseComponents":0}"""), InlineData("""{"Shape":[3],"BaseDegreesOfFreedom":0.1}"""),
        InlineData("""{"Shape":[3],"InputLimit":0}"""), InlineData("""{"Shape":[3],"InputLimit":-1}"""),
        InlineData("""{"Shape":[1,8,8],"InputLimit":3}"""), InlineData("""{"Shape":[3],"Base":"Cauchy"}""")]
    public void Values_out_of_range_are_refused(string json) =>
        FluentActions.Invoking(() => ModelOptions.FromJson<RealNvpOptions>(json)).Should().Throw<InvalidDataException>();
}
