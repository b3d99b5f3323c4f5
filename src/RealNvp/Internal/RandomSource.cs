using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>The generator that random layers draw from during one call, on the calling thread; null is torch's own.</summary>
internal static class RandomSource
{
    [ThreadStatic] private static Generator? current;

    public static Generator? Current => current;

    /// <summary>A generator of the CPU, the only kind that there is; <see cref="Noise"/> draws with it for any device. The caller disposes it.</summary>
#pragma warning disable RS0030 // this is the one place that makes generators
    public static Generator New(long seed) => new(unchecked((ulong)seed), CPU);
#pragma warning restore RS0030

    /// <summary>Draws from a new generator with <paramref name="seed"/> until disposed; a null seed changes nothing.</summary>
    public static Scope Use(long? seed)
    {
        if (seed is not { } s) return new Scope(current, null);
        var generator = New(s);
        var scope = new Scope(current, generator);
        current = generator;
        return scope;
    }

    public readonly struct Scope(Generator? previous, Generator? own) : IDisposable
    {
        public void Dispose()
        {
            current = previous;
            own?.Dispose();
        }
    }
}
