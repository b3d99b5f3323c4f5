using RealNvp.Checking;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Laws;

/// <summary>The presets, each small enough for a full Jacobian: large ones
/// keep their recipe, with fewer pixels, channels and blocks.</summary>
public static class PresetTable
{
    public static IReadOnlyDictionary<string, ModelOptions> All { get; } = new Dictionary<string, ModelOptions>
    {
        ["Toy2D"] = RealNvpOptions.Toy2D,
        ["Tabular"] = RealNvpOptions.Tabular(5),
        ["Tabular, quantiles, tails"] = RealNvpOptions.Tabular(3) with { Layers = 3, Hidden = 16, Scaling = FeatureScaling.Quantiles,
            TailThreshold = 3, ContextSize = 1 },
        ["Tabular, context"] = RealNvpOptions.Tabular(4) with { ContextSize = 3, VectorMask = VectorMask.Halves, FlowBatchNorm = true },
        ["Digits8x8"] = RealNvpOptions.Digits8x8,
        ["Grey28x28"] = RealNvpOptions.Grey28x28 with { Shape = [1, 8, 8], Hidden = 4, Blocks = 1 },
        ["Cifar10"] = RealNvpOptions.Cifar10 with { Shape = [3, 4, 4], Hidden = 4 },
        ["Image32x32"] = RealNvpOptions.Image32x32 with { Shape = [3, 8, 8], Scales = 3, Hidden = 3, Blocks = 1 },
        ["Image64x64"] = RealNvpOptions.Image64x64 with { Shape = [1, 16, 16], Scales = 4, Hidden = 2, Blocks = 1 },
        ["Image, odd last scale, context, additive"] = RealNvpOptions.Image([1, 6, 6], scales: 2, blocks: 1,
            hidden: 3) with { ContextSize = 2, Coupling = CouplingKind.Additive, DiagonalScaling = true, ConcatenatedRelu = true },
        ["NICE, Mnist"] = NiceOptions.Mnist with { Shape = [9], Hidden = 20, HiddenLayers = 3 },
        ["NICE, Tabular"] = NiceOptions.Tabular(5) with { ContextSize = 2, Hidden = 20 },
        ["Residual, Toy2D"] = ResidualFlowOptions.Toy2D with { Layers = 2, Hidden = 6, HiddenLayers = 1 },
        ["Residual, Tabular, context"] = ResidualFlowOptions.Tabular(3) with { Layers = 2, Hidden = 5, HiddenLayers = 1, ContextSize = 2 },
        ["Residual, Digits8x8"] = ResidualFlowOptions.Digits8x8 with { Shape = [1, 2, 2], Layers = 1, Hidden = 2 },
        ["Residual, Grey28x28"] = ResidualFlowOptions.Grey28x28 with { Shape = [1, 2, 2], Scales = 2, Layers = 1, Hidden = 2 },
        ["Residual, Cifar10, factored out"] = ResidualFlowOptions.Cifar10 with
        {
            Shape = [2, 2, 2],
            Scales = 2,
            Layers = 1,
            Hidden = 2,
            DenseLayers = 1,
            DenseHidden = 3,
            FactorOut = true,
            Activation = ActivationKind.Elu,
        },
        ["Spline, Toy2D"] = SplineFlowOptions.Toy2D,
        ["Spline, Tabular"] = SplineFlowOptions.Tabular(5) with { Layers = 3, Hidden = 20, ContextSize = 2 },
        ["Spline, Torus"] = SplineFlowOptions.Torus(3) with { Layers = 3, Hidden = 20 },
        ["Spline, Tabular, two circles among five"] = SplineFlowOptions.Tabular(5) with { Layers = 4, Hidden = 20, ContextSize = 2,
            CircularFeatures = [0, 3], CircleLow = -4, CircleHigh = 5 },
        ["Spline, PowerOrGas"] = SplineFlowOptions.PowerOrGas() with { Layers = 2, Hidden = 20 },
        ["Spline, HepmassOrBsds300"] = SplineFlowOptions.HepmassOrBsds300(7) with { Layers = 2, Hidden = 20 },
        ["Spline, Miniboone"] = SplineFlowOptions.Miniboone with { Shape = [5], Layers = 3 },
        ["Spline, Miniboone, dropout"] = SplineFlowOptions.Miniboone with { Shape = [5], Layers = 3, Dropout = 0.2 },
        ["MAF, Toy2D"] = MafOptions.Toy2D,
        ["MAF, Tabular"] = MafOptions.Tabular(5) with { Layers = 3, Hidden = 20, ContextSize = 2, FlowBatchNorm = true },
        ["MAF, SplineTabular"] = MafOptions.SplineTabular(4) with { Layers = 2, Hidden = 20 },
        ["MAF, mixture, plain blocks"] = MafOptions.Tabular(3) with { Layers = 2, Hidden = 20, Transformer = AutoregressiveKind.Mixture,
            Residual = false },
        ["MAF, SplineTabular, dropout"] = MafOptions.SplineTabular(4) with { Layers = 2, Hidden = 20, Dropout = 0.1 },
        ["IAF, Toy2D"] = IafOptions.Toy2D,
        ["IAF, Tabular"] = IafOptions.Tabular(5) with { Layers = 3, Hidden = 20, ContextSize = 2 },
        ["IAF, SplineTabular"] = IafOptions.SplineTabular(4) with { Layers = 2, Hidden = 20 },
        ["Glow, Cifar10"] = GlowOptions.Cifar10 with { Shape = [3, 8, 8], Scales = 2, Layers = 2, Hidden = 6 },
        ["Glow, ImageNet64x64"] = GlowOptions.ImageNet64x64 with { Shape = [1, 16, 16], Layers = 1, Hidden = 4 },
        ["Glow, CelebAHq256x256"] = GlowOptions.CelebAHq256x256 with { Shape = [3, 4, 4], Scales = 2, Layers = 2, Hidden = 4 },
        ["Glow, Digits8x8"] = GlowOptions.Digits8x8 with { Hidden = 8 },
        ["Glow, continuous, context, plain matrices, fixed priors"] = new GlowOptions { Shape = [2, 4, 4], Levels = 0, ContextSize = 2,
            Scales = 2, Layers = 2, Hidden = 5, Linear = LinearForm.Plain, LearnedPriors = false },
        // small and smooth, so that a solve to 1e-12, which the laws of inverses ask for, takes few steps
        ["FFJORD, Toy2D"] = FfjordOptions.Toy2D with { Hidden = 4, HiddenLayers = 2, Tolerance = 1e-12 },
        ["FFJORD, Matching2D"] = FfjordOptions.Matching2D with { Hidden = 4, TimeFrequencies = 0, Tolerance = 1e-12 },
        ["FFJORD, Tabular"] = FfjordOptions.Tabular(4) with { Hidden = 4, TimeFrequencies = 0, ContextSize = 2, Tolerance = 1e-12 },
        ["FFJORD, Torus"] = FfjordOptions.Torus(2) with { Hidden = 4, TimeFrequencies = 0, Tolerance = 1e-12 },
        ["FFJORD, Sphere"] = FfjordOptions.Sphere(3) with { Hidden = 4, TimeFrequencies = 0, ContextSize = 1, Tolerance = 1e-12 },
        ["FFJORD, Digits8x8"] = FfjordOptions.Digits8x8 with { Shape = [1, 2, 2], Hidden = 4, TimeFrequencies = 0, Tolerance = 1e-12 },
        ["FFJORD, Grey28x28"] = FfjordOptions.Grey28x28 with { Shape = [1, 2, 2], Hidden = 2, HiddenLayers = 1, Tolerance = 1e-12 },
    };

    // what FlowCheck must know of a preset; those that are not here are checked as they are
    private static readonly Dictionary<string, FlowCheckOptions> checks = new()
    {
        // with the first seed finite differences meet a kink of a relu too near to step around; this one has none
        ["Grey28x28"] = new() { Seed = 2 },
        // the inverse of asinh grows like an exponential: beyond 88 times its threshold it is no number of float32, as the layer says
        ["Tabular, quantiles, tails"] = new() { Extreme = 20 },
        // an angle that is many turns away has lost its digits
        ["Spline, Torus"] = new() { Extreme = 20 },
        ["Spline, Tabular, two circles among five"] = new() { Extreme = 20 },
        // between means that are far apart, a mixture is flat: its derivative is too small for any dtype
        ["MAF, mixture, plain blocks"] = new() { Extreme = 10 },
        // the flat bins of splines, one feature after the other, use the digits of float64 up
        ["MAF, SplineTabular"] = new() { Extreme = 10 },
        ["IAF, SplineTabular"] = new() { Extreme = 10 },
        // far out, the velocity is long and a solve takes many steps
        ["FFJORD, Toy2D"] = new() { Extreme = 10 },
        ["FFJORD, Matching2D"] = new() { Extreme = 10 },
        ["FFJORD, Tabular"] = new() { Extreme = 10 },
        ["FFJORD, Torus"] = new() { Extreme = 10 },
        ["FFJORD, Sphere"] = new() { Extreme = 5 },
        ["FFJORD, Digits8x8"] = new() { Extreme = 10 },
        ["FFJORD, Grey28x28"] = new() { Extreme = 10 },
        // Glow multiplies a shift by up to e¹⁶ in each step: from 10⁴ a latent comes to values that float64 cannot take back
        ["Glow, Cifar10"] = new() { Extreme = 20 },
        ["Glow, ImageNet64x64"] = new() { Extreme = 20 },
        ["Glow, CelebAHq256x256"] = new() { Extreme = 20 },
        ["Glow, Digits8x8"] = new() { Extreme = 20 },
        ["Glow, continuous, context, plain matrices, fixed priors"] = new() { Extreme = 20 },
    };

    public static TheoryData<string> Names => [.. All.Keys];

    /// <summary>The settings of FlowCheck for a preset.</summary>
    public static FlowCheckOptions Check(string name) => checks.GetValueOrDefault(name) ?? new();

    /// <summary>A small preset of each model, for a theory that is too long for all in a plain run.</summary>
    public static TheoryData<string> OneOfEach => ["Tabular, context", "Digits8x8", "NICE, Tabular", "Spline, Tabular",
        "MAF, SplineTabular", "MAF, mixture, plain blocks", "IAF, Tabular", "Glow, Digits8x8",
        "FFJORD, Tabular"];

    public static RealNvpOptions RealNvp(string name) => (RealNvpOptions)All[name];

    /// <summary>A model in evaluation mode and float64, with weights and statistics far from their initial values.</summary>
    public static FlowModel Create(string name, double spread = 0.05)
    {
        manual_seed(1);
        var model = All[name].NewModel();
        RandomWeights.Draw(model, 2, spread);
        model.to(float64);
        model.eval();
        return model;
    }

    /// <summary>Examples that the model accepts: whole numbers where it dequantizes.</summary>
    public static Tensor Examples(ModelOptions options, long count, int seed = 5)
    {
        using var generator = new Generator((ulong)seed);
        var size = options.Shape.WithBatch(count);
        if (options.Levels > 0) return randint(options.Levels, size, dtype: float64, generator: generator);
        var x = randn(size, dtype: float64, generator: generator);
        return options.Base == BaseDensityKind.UniformSphere ? x.div(x.norm(1, keepdim: true)) : x;
    }

    public static Tensor? Context(ModelOptions options, long count)
    {
        using var generator = new Generator(9);
        return options.ContextSize == 0 ? null : randn(count, options.ContextSize, dtype: float64, generator: generator);
    }
}
