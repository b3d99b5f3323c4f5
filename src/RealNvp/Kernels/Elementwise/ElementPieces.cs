using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RealNvp.Kernels;

/// <summary>Vectors of 512 bits whose elements are up to four pieces of memory, by loads and stores of some lanes only.</summary>
/// <remarks>Copies of single pieces are some instructions each, and a vector that was written in pieces can't be read back before all
/// of them have reached the cache. Lanes are of four bytes; an element of eight is two of them.</remarks>
internal unsafe struct ElementPieces
{
    /// <summary>The most pieces.</summary>
    public const int Most = 4;

    private Vector512<float> first, second, third, fourth;

    /// <summary>Whether the processor has such loads and stores.</summary>
    public static bool IsSupported => Avx512F.IsSupported;

    /// <summary>Which lanes are those of a piece.</summary>
    /// <param name="piece">Its number.</param>
    /// <param name="start">Its first lane.</param>
    /// <param name="end">The lane behind its last one.</param>
    public void Set(int piece, int start, int end)
    {
        var lanes = Vector512<int>.Indices;
        var mask = (Vector512.GreaterThanOrEqual(lanes, Vector512.Create(start))
            & Vector512.LessThan(lanes, Vector512.Create(end))).AsSingle();
        switch (piece)
        {
            case 0: first = mask; break;
            case 1: second = mask; break;
            case 2: third = mask; break;
            default: fourth = mask; break;
        }
    }

    /// <summary>Reads vectors.</summary>
    /// <param name="from">For each piece where lane 0 of the first vector would be; where a piece has no lanes, nothing is read.</param>
    /// <param name="step">From a vector to the next one.</param>
    /// <param name="to">Where they go, one behind the other.</param>
    /// <param name="count">How many they are.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Load(float** from, nint step, float* to, int count)
    {
        float* from0 = from[0], from1 = from[1], from2 = from[2], from3 = from[3];
        Vector512<float> mask0 = first, mask1 = second, mask2 = third, mask3 = fourth;
        for (; count > 0; count--, from0 += step, from1 += step, from2 += step, from3 += step, to += Vector512<float>.Count)
        {
            var vector = Avx512F.MaskLoad(from0, mask0, Vector512<float>.Zero);
            vector = Avx512F.MaskLoad(from1, mask1, vector);
            vector = Avx512F.MaskLoad(from2, mask2, vector);
            Avx512F.MaskLoad(from3, mask3, vector).Store(to);
        }
    }

    /// <summary>Writes vectors; what <see cref="Load"/> reads.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Store(float* from, float** to, nint step, int count)
    {
        float* to0 = to[0], to1 = to[1], to2 = to[2], to3 = to[3];
        Vector512<float> mask0 = first, mask1 = second, mask2 = third, mask3 = fourth;
        for (; count > 0; count--, from += Vector512<float>.Count, to0 += step, to1 += step, to2 += step, to3 += step)
        {
            var vector = Vector512.Load(from);
            Avx512F.MaskStore(to0, mask0, vector);
            Avx512F.MaskStore(to1, mask1, vector);
            Avx512F.MaskStore(to2, mask2, vector);
            Avx512F.MaskStore(to3, mask3, vector);
        }
    }
}
