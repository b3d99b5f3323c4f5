using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RealNvp.Kernels;

/// <summary>The sums over the lanes of vectors.</summary>
internal static unsafe class RowSums<TLanes, T>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Of four vectors to one place and of four others to another, if there is one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(TLanes a0, TLanes a1, TLanes a2, TLanes a3, TLanes b0, TLanes b1, TLanes b2, TLanes b3, T* a, T* b)
    {
        if (typeof(TLanes) == typeof(Lanes512<float>) && Avx512F.IsSupported)
        {
            // each lane of four numbers: the four partial sums of a vector
            Vector512<float> first = Quarters(Wide(a0), Wide(a1), Wide(a2), Wide(a3)),
                second = Quarters(Wide(b0), Wide(b1), Wide(b2), Wide(b3));
            var pairs = Avx512F.Shuffle(first, second, 0x88) + Avx512F.Shuffle(first, second, 0xDD);
            pairs += Avx512F.Shuffle(pairs, pairs, 0xB1);
            var all = Avx512F.PermuteVar16x32(pairs, Vector512.Create(0, 4, 8, 12, 2, 6, 10, 14, 0, 4, 8, 12, 2, 6, 10, 14)).GetLower();
            all.GetLower().Store((float*)a);
            if (b != null) all.GetUpper().Store((float*)b);
            return;
        }
        Store(a0, a1, a2, a3, a);
        if (b != null) Store(b0, b1, b2, b3, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Wide(TLanes a) => Unsafe.BitCast<TLanes, Vector512<float>>(a);

    // lane i holds four numbers whose sum is that of vector i
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Quarters(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d)
    {
        var ab = Avx512F.Shuffle4x128(a, b, 0x44) + Avx512F.Shuffle4x128(a, b, 0xEE);
        var cd = Avx512F.Shuffle4x128(c, d, 0x44) + Avx512F.Shuffle4x128(c, d, 0xEE);
        return Avx512F.Shuffle4x128(ab, cd, 0x88) + Avx512F.Shuffle4x128(ab, cd, 0xDD);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(TLanes a, TLanes b, TLanes c, TLanes d, T* to)
    {
        if (typeof(TLanes) == typeof(Lanes256<float>) && Avx.IsSupported)
        {
            var all = Avx.HorizontalAdd(Avx.HorizontalAdd(Narrow(a), Narrow(b)), Avx.HorizontalAdd(Narrow(c), Narrow(d)));
            (all.GetLower() + all.GetUpper()).Store((float*)to);
            return;
        }
        to[0] = TLanes.Sum(a);
        to[1] = TLanes.Sum(b);
        to[2] = TLanes.Sum(c);
        to[3] = TLanes.Sum(d);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Narrow(TLanes a) => Unsafe.BitCast<TLanes, Vector256<float>>(a);
}
