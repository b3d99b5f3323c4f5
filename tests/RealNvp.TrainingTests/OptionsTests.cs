using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

public class OptionsTests
{
    public static TheoryData<string> Presets => PresetTable.Names;

    [Theory, MemberData(nameof(Presets))]
    public void Options_of_a_model_come_back_from_json(string name)
    {
        var options = PresetTable.All[name];
        // by the record itself, and by the one that stands for its class of models
        foreach (var record in new[] { options.GetType(), ModelKind.Of(options).Options })
            typeof(ModelOptions).GetMethod(nameof(ModelOptions.FromJson))!.MakeGenericMethod(record).Invoke(null, [options.ToJson()])
                .Should().Be(options);
        var back = (ModelOptions)FileJson.Read(options.GetType(), options.ToJson(), FrozenMembers.Current);
        back.Should().Be(options);
        back.ToJson().Should().Be(options.ToJson());
        options.ToJson().Should().NotContain("IsImage");
        if (options is RealNvpOptions or GlowOptions) options.ToJson().Should().MatchRegex("\"Coupling\":\"(Affine|Additive)\"");
    }

    [Fact]
    public void The_presets_themselves_are_valid_and_come_back()
    {
        RealNvpOptions[] presets =
        [
            RealNvpOptions.Toy2D, RealNvpOptions.Tabular(30), RealNvpOptions.Digits8x8, RealNvpOptions.Grey28x28,
            RealNvpOptions.Cifar10, RealNvpOptions.Image32x32, RealNvpOptions.Image64x64, RealNvpOptions.Image([3, 16, 24]),
        ];
        foreach (var options in presets) ModelOptions.FromJson<RealNvpOptions>(options.ToJson()).Should().Be(options);
        presets.Should().OnlyHaveUniqueItems();
        foreach (var options in new[] { NiceOptions.Mnist, NiceOptions.Tabular(4) })
            ModelOptions.FromJson<NiceOptions>(options.ToJson()).Should().Be(options);
        foreach (var options in new[] { SplineFlowOptions.Toy2D, SplineFlowOptions.Tabular(4), SplineFlowOptions.PowerOrGas(8),
            SplineFlowOptions.HepmassOrBsds300(), SplineFlowOptions.Miniboone })
            ModelOptions.FromJson<SplineFlowOptions>(options.ToJson()).Should().Be(options);
        foreach (var options in new[] { MafOptions.Toy2D, MafOptions.Tabular(4), MafOptions.SplineTabular(4) })
            ModelOptions.FromJson<MafOptions>(options.ToJson()).Should().Be(options);
        foreach (var options in new[] { IafOptions.Toy2D, IafOptions.Tabular(4), IafOptions.SplineTabular(4) })
            ModelOptions.FromJson<IafOptions>(options.ToJson()).Should().Be(options);
        foreach (var options in new[] { GlowOptions.Cifar10, GlowOptions.ImageNet64x64, GlowOptions.CelebAHq256x256, GlowOptions.Digits8x8,
            GlowOptions.Digits8x8 with { Levels = 0 } })
            ModelOptions.FromJson<GlowOptions>(options.ToJson()).Should().Be(options);
    }

    public static TheoryData<string> BadModels => [.. bad.Keys];

    private static readonly Dictionary<string, RealNvpOptions> bad = new()
    {
        ["Shape must be [D] or [C, H, W] with all sizes known; got (2, 3)."] = vector with { Shape = [2, 3] },
        ["Shape must be [D] or [C, H, W] with all sizes known; got (*,)."] = vector with { Shape = [-1] },
        ["Shape must have at least 2 features: a coupling keeps one and transforms another; got (1,)."] = vector with { Shape = [1] },
        ["Shape must have at most 4,194,304 elements; got (3, 2048, 2048)."] = image with { Shape = [3, 2048, 2048] },
        ["ContextSize must be in 0 ... 1048576; got -1."] = vector with { ContextSize = -1 },
        ["Scales does not fit images of 27×30: height and width must be divisible by 2. Crop the images to 26×30, or pad them to " +
            "28×30, or use Scales = 1; got 2."] = image with { Shape = [1, 27, 30], Scales = 2 },
        ["Levels must be 0 (continuous data) or in 2 ... 16,777,216; got 1."] = vector with { Levels = 1 },
        ["LogitAlpha must be in 1E-06 ... 0.49: nearer to 0, the edges of the data have no logit in float32; nearer to 0.5, all data " +
            "become one number; got 0.5."] = vector with { LogitAlpha = 0.5 },
        ["LogitAlpha must be in 1E-06 ... 0.49: nearer to 0, the edges of the data have no logit in float32; nearer to 0.5, all data " +
            "become one number; got NaN."] = vector with { LogitAlpha = double.NaN },
        ["Shape must be [D]: for images there is RealNvpImageOptions; got (1, 8, 8)."] = vector with { Shape = [1, 8, 8] },
        ["Shape must be [C, H, W]: for vectors there is RealNvpVectorOptions; got (8,)."] = image with { Shape = [8] },
        ["Standardize does not go together with Levels or LogitAlpha; got True."] = image with { Standardize = true },
        ["Layers must be in 2 ... 4096; got 1."] = vector with { Layers = 1 },
        ["Scales must be in 1 ... 16; got 0."] = image with { Scales = 0 },
        ["Scales does not fit images of 6×8: height and width must be divisible by 4. Crop the images to 4×8, or pad them to 8×8, " +
            "or use Scales = 2; got 3."] = image with { Shape = [1, 6, 8], Scales = 3 },
        ["Scales is too large for images of 4×4: the last scale needs at least 2 pixels. Use Scales = 2; got 3."] =
            image with { Shape = [1, 4, 4], Scales = 3 },
        ["Hidden must be in 1 ... 65536; got 0."] = vector with { Hidden = 0 },
        ["Blocks must be in 0 ... 1024; got -1."] = vector with { Blocks = -1 },
        ["Momentum must be in 0 ... 0.9999: above, running statistics stay what they were at the start, and evaluation uses others than " +
            "training; got 1."] = vector with { Momentum = 1 },
    };

    [Theory, MemberData(nameof(BadModels))]
    public void A_bad_option_of_a_model_is_named_with_its_value_and_range(string message)
    {
        var validate = bad[message].Validate;
        validate.Should().Throw<ArgumentException>().Which.Message.Should().StartWith($"{bad[message].GetType().Name}.{message}");
        var build = () => _ = new RealNvpModel(bad[message]);
        build.Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Options_of_a_training_come_back_from_json()
    {
        var options = new TrainingOptions
        {
            Epochs = 3, MaxSteps = 17, BatchSize = 5, LearningRate = 1.0 / 3, Schedule = new CosineSchedule { WarmUpSteps = 4 },
                Adam = new AdamOptions { Beta2 = 0.99, Epsilon = 1e-7 },
            WeightNormDecay = 0.1, WeightDecay = 0.2, MaxGradientNorm = null, AverageDecay = 0.9, ValidationFraction = 0.1, Patience = 2,
                RestoreBest = false,
                Seed = long.MinValue, CheckpointPath = "a/ü.safetensors", CheckpointEvery = 2,
        };
        FileJson.Read<TrainingOptions>(FileJson.Write(options), FrozenMembers.Current).Should().Be(options with { CheckpointPath = null },
            "no path is ever taken from a file");
        foreach (var schedule in new LearningRateSchedule[] { new ConstantSchedule(), new CosineSchedule(), new ExponentialSchedule(),
            new StepSchedule() })
            FileJson.Read<TrainingOptions>(FileJson.Write(new TrainingOptions { Schedule = schedule }),
                FrozenMembers.Current).Schedule.Should().Be(schedule);
        foreach (var name in PresetTable.All.Values)
            FileJson.Read<TrainingOptions>(FileJson.Write(TrainingOptions.For(name)), FrozenMembers.Current).Should()
                .Be(TrainingOptions.For(name));
    }

    public static TheoryData<string> BadTrainings => [.. badTrainings.Keys];

    private static readonly Dictionary<string, TrainingOptions> badTrainings = new()
    {
        ["Epochs must be at least 1; got 0."] = new() { Epochs = 0 },
        ["MaxSteps must be null or at least 1; got 0."] = new() { MaxSteps = 0 },
        ["BatchSize must be at least 1; got -4."] = new() { BatchSize = -4 },
        ["LearningRate must be positive, and at most 10: above, a step is larger than any weight of use; got NaN."] =
            new() { LearningRate = double.NaN },
        ["Schedule must not be null; got null."] = new() { Schedule = null! },
        ["Adam must not be null; got null."] = new() { Adam = null! },
        ["WeightNormDecay must be in 0 ... 1: above, the penalty alone is learned; got -1."] = new() { WeightNormDecay = -1 },
        ["WeightDecay must be in 0 ... 1: above, the penalty alone is learned; got 2."] = new() { WeightDecay = 2 },
        ["MaxGradientNorm must be null, for no limit, or finite and at least 1E-06: below, nothing is learned, as gradients vanish " +
            "beside the epsilon of Adam; got 0."] = new() { MaxGradientNorm = 0 },
        ["AverageDecay must be null or in [0, 1); got 1."] = new() { AverageDecay = 1 },
        ["ValidationFraction must be null or in [0, 1); got 1."] = new() { ValidationFraction = 1 },
        ["Patience must be null or at least 1; got 0."] = new() { Patience = 0 },
        ["CheckpointEvery must be at least 1; got 0."] = new() { CheckpointEvery = 0 },
    };

    [Theory, MemberData(nameof(BadTrainings))]
    public void A_bad_option_of_a_training_is_named_with_its_value_and_range(string message)
    {
        using var model = new RealNvpModel(vector, seed: 0);
        var make = () => _ = new Trainer(model, badTrainings[message]);
        make.Should().Throw<ArgumentException>().Which.Message.Should().StartWith("TrainingOptions." + message);
    }

    [Theory, MemberData(nameof(Presets))]
    public void Extreme_inputs_have_a_finite_likelihood_in_single_precision(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        using var model = PresetTable.Create(name, spread: 0.05);
        model.to(float32);
        var size = options.Shape.WithBatch(1);
        var context = PresetTable.Context(options, 1)?.to(float32);
        // on a sphere there is nothing far away
        var isSphere = options.Base == BaseDensityKind.UniformSphere;
        float[] values = options.Levels > 0 ? [0, options.Levels - 1] : isSphere ? [1, -1] : [0, 1e4f, -1e4f, 1e6f, -1e6f];
        Tensor Given(Tensor x) => isSphere ? x.div(x.norm(1, keepdim: true)) : x;
        foreach (var value in values)
        {
            model.LogProb(Given(full(size, value)), context, seed: 1).isfinite().all().item<bool>().Should().BeTrue("x is {0}", value);
            var mixed = full(size, value);
            mixed.flatten()[0] = 0;
            model.LogProb(Given(mixed), context, seed: 1).isfinite().all().item<bool>().Should().BeTrue("x is 0 and {0}", value);
        }
        foreach (var value in isSphere ? [1f, -1f] : new[] { 0f, 50f, -50f })
        {
            // Glow multiplies without a limit: what float32 cannot hold is an error that names the layer
            try { model.Decode(Given(full(model.LatentShape.WithBatch(1), value)), context).isfinite().all().item<bool>().Should()
                .BeTrue("z is {0}", value); }
            catch (NonFiniteException e) when (model is GlowModel) { e.Message.Should()
                .Contain("GlowModel.Decode").And.Contain("whose value is NaN or infinite").And.Contain("scales."); }
        }
    }

    private static RealNvpVectorOptions vector => RealNvpOptions.Toy2D;

    private static RealNvpImageOptions image => RealNvpOptions.Digits8x8;

    [Fact]
    public void A_spline_on_an_interval_that_costs_its_digits_and_images_that_no_scale_fits_are_refused()
    {
        Refused(SplineFlowOptions.Tabular(3) with { Bound = 1e4 },
            "SplineFlowOptions.Bound must be in 0.01 ... 100: *Standardize does; got 10000*");
        Refused(MafOptions.SplineTabular(3) with { Bound = 1e-3 }, "MafOptions.Bound must be in 0.01 ... 100: *; got 0.001*");
        Refused(IafOptions.SplineTabular(3) with { Bound = double.NaN }, "IafOptions.Bound must be in 0.01 ... 100: *; got NaN*");
        Refused(GlowOptions.Digits8x8 with { Shape = [1, 1, 9], Scales = 1 },
            "GlowOptions.Scales does not fit images of 1×9: height and width must be divisible by 2. Pad the images to 2×10; got 1.*");
        Refused(GlowOptions.Digits8x8 with { Shape = [3, 12, 20], Scales = 3 },
            "*divisible by 8. Crop the images to 8×16, or pad them to 16×24, or use Scales = 2; got 3.*");

        static void Refused(ModelOptions options, string message) =>
            options.Invoking(o => o.Validate()).Should().Throw<ArgumentException>().WithMessage(message);
    }
}
