namespace RealNvp;

/// <summary>All randomness of a training comes from its seed and a number, so a resumed training needs no random state.</summary>
internal static class StepSeeds
{
    /// <summary>Of the order of the examples in an epoch, counted from 0.</summary>
    public static long OfOrder(long seed, long epoch) => Mix(seed, 2 * epoch);

    /// <summary>Of all noise of a step, counted from 0.</summary>
    public static long OfNoise(long seed, long step) => Mix(seed, (2 * step) + 1);

    /// <summary>Of the choice of examples that are held out.</summary>
    public static long OfSplit(long seed) => Mix(seed, -1);

    /// <summary>Of the examples that the inverse is tried on.</summary>
    public static long OfProbe(long seed) => Mix(seed, -2);

    /// <summary>Of all noise of a validation batch, counted from 0: the same in each epoch.</summary>
    public static long OfValidation(long seed, long batch) => Mix(seed, -3 - batch);

    // splitmix64: neighbouring steps get unrelated seeds
    private static long Mix(long seed, long number)
    {
        var z = unchecked((ulong)seed + (0x9E3779B97F4A7C15UL * (ulong)(number + 2)));
        z = unchecked((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL);
        z = unchecked((z ^ (z >> 27)) * 0x94D049BB133111EBUL);
        return unchecked((long)(z ^ (z >> 31)));
    }
}
