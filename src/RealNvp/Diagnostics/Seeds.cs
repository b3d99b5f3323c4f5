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

    /// <summary>A source of randomness on the host, for a part.</summary>
    public static Random Random(long seed, long part) => new((int)(Of(seed, part) & int.MaxValue));

    /// <summary>Fills memory with standard normals (Box and Muller).</summary>
    public static void Normal(Random random, double[] values)
    {
        for (var i = 0; i < values.Length; i++)
            values[i] = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
    }
}
