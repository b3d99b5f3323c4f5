using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>Numeric options at the ends of their ranges: a trained model has its
/// digits there, and what lies outside is refused with the reason.</summary>
public sealed class OptionExtremesTests
{
    // of x → z → x in float32, of the largest magnitude of each feature
    private const double Tolerance = 1e-3;

    private static readonly RealNvpOptions table = RealNvpOptions.Tabular(4) with { Layers = 4, Hidden = 32 };
    private static readonly SplineFlowOptions splines = SplineFlowOptions.Tabular(4) with { Layers = 4, Hidden = 32 };
    private static readonly SplineFlowOptions torus = SplineFlowOptions.Torus(3) with { Layers = 4, Hidden = 32 };

    private static readonly Dictionary<string, (ModelOptions Model, Func<ModelOptions, Tensor> Data)> models = new()
    {
        ["LogitAlpha, least"] = (RealNvpOptions.Toy2D with { LogitAlpha = Ranges.LogitAlpha.Least }, Unit),
        ["LogitAlpha, most"] = (RealNvpOptions.Toy2D with { LogitAlpha = Ranges.LogitAlpha.Most }, Unit),
        ["LogitAlpha of pixels, least"] = (RealNvpOptions.Digits8x8 with { Hidden = 8, LogitAlpha = Ranges.LogitAlpha.Least }, Pixels),
        ["LogitAlpha of pixels, most"] = (RealNvpOptions.Digits8x8 with { Hidden = 8, LogitAlpha = Ranges.LogitAlpha.Most }, Pixels),
        ["InputLimit, least"] = (table with { InputLimit = Ranges.InputLimit.Least }, Rows),
        ["InputLimit, most"] = (table with { InputLimit = Ranges.InputLimit.Most }, Rows),
        ["InputLimit of splines, least"] = (splines with { InputLimit = Ranges.InputLimit.Least }, Rows),
        ["InputLimit of MAF, most"] = (MafOptions.Tabular(4) with { Hidden = 32, InputLimit = Ranges.InputLimit.Most }, Rows),
        ["TailThreshold, least"] = (table with { TailThreshold = Ranges.TailThreshold.Least, Base = BaseDensityKind.StandardNormal }, Rows),
        ["TailThreshold, most"] = (table with { TailThreshold = Ranges.TailThreshold.Most }, Rows),
        ["Momentum, least"] = (RealNvpOptions.Digits8x8 with { Hidden = 8, Momentum = Ranges.Momentum.Least }, Pixels),
        ["Momentum, most"] = (RealNvpOptions.Digits8x8 with { Hidden = 8, Momentum = Ranges.Momentum.Most }, Pixels),
        ["Bound, least"] = (splines with { Bound = 0.01 }, Rows),
        ["Bound, most"] = (splines with { Bound = 100 }, Rows),
        ["Bound of MAF, most"] = (MafOptions.SplineTabular(4) with { Hidden = 32, Bound = 100 }, Rows),
        ["Bound of IAF, least"] = (IafOptions.SplineTabular(4) with { Hidden = 32, Bound = 0.01 }, Rows),
        ["SmallestBin, least"] = (splines with { SmallestBin = Ranges.SmallestBin.Least }, Rows),
        ["SmallestBin, most"] = (splines with { SmallestBin = 0.1249 }, Rows),
        ["SmallestBin of MAF, least"] = (MafOptions.SplineTabular(4) with { Hidden = 32, SmallestBin = Ranges.SmallestBin.Least }, Rows),
        ["SmallestDerivative, least"] = (splines with { SmallestDerivative = Ranges.SmallestDerivative.Least }, Rows),
        ["SmallestDerivative, most"] = (splines with { SmallestDerivative = Ranges.SmallestDerivative.Most }, Rows),
        ["SmallestDerivative of IAF, least"] = (IafOptions.SplineTabular(4) with { Hidden = 32,
            SmallestDerivative = Ranges.SmallestDerivative.Least }, Rows),
        ["Dropout, most"] = (splines with { Dropout = Ranges.Dropout.Most }, Rows),
        ["Dropout of MAF, most"] = (MafOptions.SplineTabular(4) with { Hidden = 32, Dropout = Ranges.Dropout.Most }, Rows),
        ["circle, narrowest"] = (torus with { CircleLow = 0, CircleHigh = 1e-6 }, Circle),
        ["circle, widest"] = (torus with { CircleLow = 0, CircleHigh = 1e9 }, Circle),
        ["circle, far from 0"] = (torus with { CircleLow = 999, CircleHigh = 1000 }, Circle),
        ["degrees of freedom, least"] = (table with { BaseDegreesOfFreedom = 0.5 }, Rows),
        ["degrees of freedom, most"] = (table with { BaseDegreesOfFreedom = 1e4 }, Rows),
        ["mixture, most components"] = (MafOptions.Tabular(4) with { Layers = 2, Hidden = 16, Transformer = AutoregressiveKind.Mixture,
            Components = 64 }, Rows),
        ["levels, most in float32"] = (RealNvpOptions.Image([1, 4, 4], scales: 1, blocks: 1, hidden: 8) with { Levels = 1 << 20 }, Pixels),
    };

    private static readonly Dictionary<string, TrainingOptions> trainings = new()
    {
        ["LearningRate, most"] = new() { LearningRate = Ranges.LearningRate.Most },
        ["LearningRate, least"] = new() { LearningRate = Ranges.LearningRate.Least },
        ["MaxGradientNorm, least"] = new() { MaxGradientNorm = Ranges.MaxGradientNorm.Least },
        ["MaxGradientNorm, most"] = new() { MaxGradientNorm = Ranges.MaxGradientNorm.Most },
        ["WeightNormDecay, most"] = new() { WeightNormDecay = Ranges.WeightNormDecay.Most },
        ["WeightDecay, most"] = new() { WeightDecay = Ranges.WeightDecay.Most },
        ["Adam's epsilon, least"] = new() { Adam = new() { Epsilon = Ranges.AdamEpsilon.Least } },
        ["Adam's epsilon, most"] = new() { Adam = new() { Epsilon = Ranges.AdamEpsilon.Most } },
        ["averages without end"] = new() { AverageDecay = 1 - 1e-12 },
        ["no moments"] = new() { Adam = new() { Beta1 = 0, Beta2 = 0 } },
    };

    public static TheoryData<string> Models => [.. models.Keys];

    public static TheoryData<string> Trainings => [.. trainings.Keys];

    [SlowTheory, MemberData(nameof(Models))]
    public void A_trained_model_keeps_its_digits_at_the_ends_of_an_option(string name)
    {
        using var scope = NewDisposeScope();
        var (options, data) = models[name];
        manual_seed(3);
        using var model = options.NewModel();
        var x = data(options);
        using var trainer = new Trainer(model, TrainingOptions.For(options) with { Epochs = 12, BatchSize = 32, Seed = 1 });
        var result = trainer.Fit(TrainingData.From(x));
        result.Warnings.Should().BeEmpty();
        var trip = RoundTrip.Measure(model, x.narrow(0, 0, 256), null, 1);
        trip.Error.Should().BeLessThan(Tolerance, "{0}", trip.Warning ?? "all is well");
        model.LogProb(x).isfinite().all().item<bool>().Should().BeTrue();
        model.Sample(300, seed: 1).isfinite().all().item<bool>().Should().BeTrue();
    }

    [SlowTheory, MemberData(nameof(Trainings))]
    public void A_training_at_the_ends_of_an_option_keeps_the_digits_or_says_so(string name)
    {
        using var scope = NewDisposeScope();
        foreach (ModelOptions options in new ModelOptions[] { table, splines })
        {
            manual_seed(3);
        using var model = options.NewModel();
            var x = Rows(options);
            using var trainer = new Trainer(model, trainings[name] with { Epochs = 12, BatchSize = 32, Seed = 1 });
            TrainingResult result;
            try { result = trainer.Fit(TrainingData.From(x)); }
            catch (NonFiniteException) { continue; }
            result.History.Should().OnlyContain(h => double.IsFinite(h.Loss));
            if (result.Warnings.Count > 0) continue;
            RoundTrip.Measure(model, x.narrow(0, 0, 256), null, 1).Error.Should().BeLessThan(Tolerance);
            model.LogProb(x).isfinite().all().item<bool>().Should().BeTrue();
        }
    }

    [Theory, MemberData(nameof(PresetTable.OneOfEach), MemberType = typeof(PresetTable))]
    public void Samples_of_any_temperature_are_finite_or_name_a_layer(string preset)
    {
        using var scope = NewDisposeScope();
        using var model = PresetTable.Create(preset);
        model.to(float32);
        var context = PresetTable.Context(PresetTable.All[preset], 1)?.to(float32);
        foreach (var temperature in new[] { 0, 1e-30, 1e3, 1e30 })
            try { model.Sample(8, context, temperature, seed: 1).isfinite().all().item<bool>().Should().BeTrue(); }
            catch (NonFiniteException e) { temperature.Should().BeGreaterThan(100, "{0}", e.Message); }
    }

    [Fact]
    public void What_lies_outside_of_a_range_is_refused_with_the_reason()
    {
        foreach (var bad in new ModelOptions[]
        {
            RealNvpOptions.Toy2D with { LogitAlpha = 1e-7 }, RealNvpOptions.Toy2D with { LogitAlpha = 0.4999 },
                table with { InputLimit = 1e-3 }, table with { InputLimit = 1e7 }, table with { TailThreshold = 0.01 },
            table with { TailThreshold = 1e7 }, table with { Momentum = 0.99999 }, splines with { Bound = 1e4 },
                splines with { SmallestBin = 1e-7 }, splines with { SmallestBin = 0.126 }, splines with { SmallestDerivative = 1e-7 },
            MafOptions.SplineTabular(4) with { SmallestBin = 1e-7 }, IafOptions.SplineTabular(4) with { SmallestDerivative = 0.6 },
                torus with { CircleLow = 1e6, CircleHigh = 1e6 + 1 }, torus with { CircleLow = 0, CircleHigh = 1e-7 },
        })
            FluentActions.Invoking(() => bad.NewModel()).Should().Throw<ArgumentException>().WithMessage("*must be *:*; got *");
    }

    private static Tensor Rows(ModelOptions options) =>
        Draw(options, g => randn(512, options.Shape[0], generator: g).mul(Scale(options)).exp().sub(1));

    private static Tensor Unit(ModelOptions options) => Draw(options, g => rand([512, options.Shape[0]], generator: g).sqrt());

    private static Tensor Circle(ModelOptions options)
    {
        var o = (SplineFlowOptions)options;
        return Draw(options, g => rand([512, o.Shape[0]], generator: g).mul(0.999).mul(o.CircleHigh - o.CircleLow).add(o.CircleLow));
    }

    private static Tensor Pixels(ModelOptions options) =>
        Draw(options, g => randint(0, options.Levels, options.Shape.WithBatch(512), dtype: float32, generator: g));

    private static double Scale(ModelOptions options) => 0.5 + (0.01 * options.Shape[0]);

    private static Tensor Draw(ModelOptions options, Func<Generator, Tensor> draw)
    {
        options.Validate();
        using var generator = new Generator(7);
        return draw(generator);
    }
}
