using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Laws;

internal static class RandomWeights
{
    /// <summary>Takes parameters and statistics far from their initial values.</summary>
    public static void Draw(nn.Module module, int seed, double spread = 0.3)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var generator = new Generator((ulong)seed);
        foreach (var parameter in module.parameters())
            parameter.add_(randn(parameter.shape, generator: generator).mul(Scalars.Of(spread)).to(parameter.dtype), Scalars.One);
        foreach (var (name, buffer) in module.named_buffers())
        {
            // the signs of a triangular matrix are no statistics
            if (!buffer.is_floating_point() || name.EndsWith("sign", StringComparison.Ordinal)) continue;
            var noise = rand(buffer.shape, generator: generator).to(buffer.dtype);
            // the digits of a mean that float32 has no place for, and so leaves out
            if (name.EndsWith("mean_rest", StringComparison.Ordinal)) noise = noise.mul(Scalars.Of(1e-9));
            buffer.copy_(name.EndsWith("var", StringComparison.Ordinal) ? noise.mul(Scalars.Of(1.5)).add(Scalars.Half, Scalars.One)
                : name.EndsWith("mean_rest", StringComparison.Ordinal) ? noise : noise.sub(Scalars.Half));
        }
    }
}
