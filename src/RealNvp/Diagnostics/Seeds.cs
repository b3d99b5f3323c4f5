namespace RealNvp;

/// <summary>Seeds for the parts of a diagnostic.</summary>
internal static class Seeds
{
    /// <summary>The seed of a part: SplitMix64, so that those of neighbours have nothing to do with each other.</summary>
    public static long Of(long seed, long part)
    {
        var z = unchecked((ulong)seed + (0x9E3779B97F4A7C15UL * (ulong)(part + 2)));
        z = unchecked((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL);
        z = unchecked((z ^ (z >> 27)) * 0x94D049BB133111EBUL);
        return unchecked((long)(z ^ (z >> 31)));
    }
}
