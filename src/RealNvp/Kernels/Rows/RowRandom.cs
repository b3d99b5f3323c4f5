using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>Random numbers of a seed: xoshiro256++ (Blackman and Vigna), the same on every machine.</summary>
internal struct RowRandom
{
    private ulong a, b, c, d;

    public RowRandom(long seed)
    {
        // SplitMix64 fills the state, so that seeds that are near give streams that are not
        var state = (ulong)seed;
        (a, b, c, d) = (Mix(ref state), Mix(ref state), Mix(ref state), Mix(ref state));
    }

    /// <summary>Uniform in (0, 1), both left out.</summary>
    public double Uniform() => ((Next() >> 11) + 0.5) / (1UL << 53);

    /// <summary>Standard normal, by Box and Muller.</summary>
    public double Normal() => Math.Sqrt(-2 * Math.Log(Uniform())) * Math.Cos(2 * Math.PI * Uniform());

    private ulong Next()
    {
        var result = BitOperations.RotateLeft(a + d, 23) + a;
        var t = b << 17;
        c ^= a;
        d ^= b;
        b ^= c;
        a ^= d;
        c ^= t;
        d = BitOperations.RotateLeft(d, 45);
        return result;
    }

    private static ulong Mix(ref ulong state)
    {
        var z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
