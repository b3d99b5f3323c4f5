using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Makes generators of random numbers.</summary>
internal static class RandomSource
{
    /// <summary>A generator of the CPU, the only kind that there is; <see cref="Noise"/>
    /// draws with it for any device. The caller disposes it.</summary>
#pragma warning disable RS0030 // this is the one place that makes generators
    public static Generator New(long seed) => new(unchecked((ulong)seed), CPU);
#pragma warning restore RS0030
}
