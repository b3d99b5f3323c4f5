using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Laws;

/// <summary>One row of the table of layers: how to make a layer, and inputs that it accepts.</summary>
public sealed record LayerCase(string Name, Func<Bijection> Make, EventShape Shape)
{
    /// <summary>Makes inputs (N, ...) in float64 from a seeded generator; normal numbers where null.</summary>
    public Func<long[], Generator, Tensor>? Inputs { get; init; }

    /// <summary>True for a layer whose examples influence each other in training.</summary>
    public bool MixesBatchInTraining { get; init; }

    /// <summary>True for a layer that draws random numbers: its inverse is exact only for what its inputs stand for.</summary>
    public bool IsRandom { get; init; }

    /// <summary>A layer in evaluation mode and float64, with parameters and statistics far from their initial values.</summary>
    public Bijection Create(int seed = 1)
    {
        manual_seed(seed).Dispose();
        var layer = Make();
        Randomize(layer, seed);
        layer.to(float64);
        layer.eval();
        return layer;
    }

    public Tensor Input(long examples, int seed = 7)
    {
        using var generator = new Generator((ulong)seed);
        var size = Shape.WithBatch(examples);
        return Inputs is null ? randn(size, dtype: float64, generator: generator) : Inputs(size, generator);
    }

    public static Tensor? Context(Bijection layer, long examples, int seed = 3)
    {
        if (layer.ContextSize == 0) return null;
        using var generator = new Generator((ulong)seed);
        return randn(examples, layer.ContextSize, dtype: float64, generator: generator);
    }

    public static void Randomize(nn.Module module, int seed, double spread = 0.3)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var generator = new Generator((ulong)seed);
        foreach (var parameter in module.parameters())
            parameter.add_(randn(parameter.shape, generator: generator).mul(spread).to(parameter.dtype));
        foreach (var (name, buffer) in module.named_buffers())
        {
            if (!buffer.is_floating_point()) continue;
            var noise = rand(buffer.shape, generator: generator).to(buffer.dtype);
            buffer.copy_(name.EndsWith("var", StringComparison.Ordinal) ? noise.mul(1.5).add(0.5) : noise.sub(0.5));
        }
    }

    public override string ToString() => Name;
}
