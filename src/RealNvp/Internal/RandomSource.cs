using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>The generator that random layers draw from during one call, on the calling thread; null is torch's own.</summary>
internal static class RandomSource
{
    [ThreadStatic] private static Generator? current;

    public static Generator? Current => current;

    /// <summary>Draws from a new generator with <paramref name="seed"/> until disposed; a null seed changes nothing.</summary>
    public static Scope Use(long? seed, Device device)
    {
        if (seed is not { } s) return new Scope(current, null);
        var generator = new Generator(unchecked((ulong)s), device);
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
