using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Laws;

/// <summary>The presets, each small enough for a full Jacobian: large ones keep their recipe, with fewer pixels, channels and blocks.</summary>
public static class PresetTable
{
    public static IReadOnlyDictionary<string, RealNvpOptions> All { get; } = new Dictionary<string, RealNvpOptions>
    {
        ["Toy2D"] = RealNvpOptions.Toy2D,
        ["Tabular"] = RealNvpOptions.Tabular(5),
        ["Tabular, context"] = RealNvpOptions.Tabular(4) with { ContextSize = 3, VectorMask = VectorMask.Halves, FlowBatchNorm = true },
        ["Nice"] = RealNvpOptions.Nice(6) with { Hidden = 100 },
        ["Digits8x8"] = RealNvpOptions.Digits8x8,
        ["Grey28x28"] = RealNvpOptions.Grey28x28 with { Shape = [1, 8, 8], Hidden = 4, Blocks = 1 },
        ["Cifar10"] = RealNvpOptions.Cifar10 with { Shape = [3, 4, 4], Hidden = 4 },
        ["Image32x32"] = RealNvpOptions.Image32x32 with { Shape = [3, 8, 8], Scales = 3, Hidden = 3, Blocks = 1 },
        ["Image64x64"] = RealNvpOptions.Image64x64 with { Shape = [1, 16, 16], Scales = 4, Hidden = 2, Blocks = 1 },
        ["Image, odd last scale, context, additive"] = RealNvpOptions.Image([1, 6, 6], scales: 2, blocks: 1, hidden: 3) with { ContextSize = 2, Coupling = CouplingKind.Additive, DiagonalScaling = true, ConcatenatedRelu = true },
    };

    public static TheoryData<string> Names => [.. All.Keys];

    /// <summary>A model in evaluation mode and float64, with weights and statistics far from their initial values.</summary>
    public static RealNvpModel Create(string name, double spread = 0.05)
    {
        var model = new RealNvpModel(All[name], seed: 1);
        RandomWeights.Draw(model, 2, spread);
        model.to(float64);
        model.eval();
        return model;
    }

    /// <summary>Examples that the model accepts: whole numbers where it dequantizes.</summary>
    public static Tensor Examples(RealNvpOptions options, long count, int seed = 5)
    {
        using var generator = new Generator((ulong)seed);
        var size = options.Shape.WithBatch(count);
        return options.Levels > 0 ? randint(options.Levels, size, dtype: float64, generator: generator) : randn(size, dtype: float64, generator: generator);
    }

    public static Tensor? Context(RealNvpOptions options, long count)
    {
        using var generator = new Generator(9);
        return options.ContextSize == 0 ? null : randn(count, options.ContextSize, dtype: float64, generator: generator);
    }
}
