using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RealNvp.Kernels;

/// <summary>Where a vector of what is seen is, and the numbers of a unit that it meets.</summary>
internal struct MadePlace
{
    public nint X, Weight;
}

/// <summary>The distance between the weights of two units, known when code is compiled: then an address is a register and a number,
/// and a multiply-add with its load is one operation of the processor, where one with two registers is two.</summary>
internal interface IApart
{
    /// <summary>The distance in numbers; 0 if it is not known before.</summary>
    static abstract nint Numbers { get; }
}

/// <inheritdoc cref="IApart"/>
internal readonly struct Apart64 : IApart
{
    public static nint Numbers => 64;
}

/// <inheritdoc cref="IApart"/>
internal readonly struct Apart128 : IApart
{
    public static nint Numbers => 128;
}

/// <inheritdoc cref="IApart"/>
internal readonly struct Apart256 : IApart
{
    public static nint Numbers => 256;
}

/// <inheritdoc cref="IApart"/>
internal readonly struct AnyApart : IApart
{
    public static nint Numbers => 0;
}

/// <summary>The product of <see cref="MadeRow"/>: sixteen units, whose sums over the lanes of vectors become one vector.</summary>
internal static unsafe class MadeUnits
{
    /// <summary>relu of sixteen units.</summary>
    /// <param name="x">What they see.</param>
    /// <param name="places">Its vectors.</param>
    /// <param name="count">How many.</param>
    /// <param name="weight">The weight of the first unit.</param>
    /// <param name="distance">The distance between the weights of two units.</param>
    /// <param name="bias">Sixteen numbers.</param>
    /// <param name="addend">Sixteen more; null for none.</param>
    /// <param name="result">Gets the sums before relu; null if nobody wants them.</param>
    /// <param name="mask">All bits of the units that count; the others give 0.</param>
    /// <param name="to">Gets the units.</param>
    /// <remarks>It is not put into another method, which would keep sums in memory.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Run<TApart>(float* x, MadePlace* places, int count, float* weight, nint distance, float* bias, float* addend,
        float* result, float* mask, float* to) where TApart : struct, IApart
    {
        Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default, s4 = default, s5 = default, s6 = default, s7 = default,
            s8 = default, s9 = default, s10 = default, s11 = default, s12 = default, s13 = default, s14 = default, s15 = default;
        nint apart = TApart.Numbers != 0 ? TApart.Numbers : distance, two = 2 * apart, three = 3 * apart, four = 4 * apart;
        for (var end = places + count; places < end; places++)
        {
            var v = Vector512.Load(x + places->X);
            float* a = weight + places->Weight, b = a + four, c = b + four, d = c + four;
            s0 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(a), s0);
            s1 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(a + apart), s1);
            s2 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(a + two), s2);
            s3 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(a + three), s3);
            s4 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(b), s4);
            s5 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(b + apart), s5);
            s6 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(b + two), s6);
            s7 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(b + three), s7);
            s8 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(c), s8);
            s9 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(c + apart), s9);
            s10 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(c + two), s10);
            s11 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(c + three), s11);
            s12 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(d), s12);
            s13 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(d + apart), s13);
            s14 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(d + two), s14);
            s15 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(d + three), s15);
        }
        var sum = Fold(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15);
        var more = Vector512.Load(bias);
        if (addend != null) more += Vector512.Load(addend);
        sum += more;
        if (result != null) sum.Store(result);
        // NaN stays
        (Vector512.MaxNative(Vector512<float>.Zero, sum).AsInt32() & Vector512.Load((int*)mask)).Store((int*)to);
    }

    /// <summary>relu of sixteen units, of which each sees a part of its own of some vectors.</summary>
    /// <param name="x">What they see, and behind it what some of them see of a vector.</param>
    /// <param name="whole">The vectors that all of them see.</param>
    /// <param name="places">For each vector behind these, sixteen places.</param>
    /// <param name="parts">How many such vectors.</param>
    /// <param name="weight">The weight of the first unit.</param>
    /// <param name="apart">The distance between the weights of two units.</param>
    /// <param name="bias">Sixteen numbers.</param>
    /// <param name="addend">Sixteen more; null for none.</param>
    /// <param name="result">Gets the sums before relu; null if nobody wants them.</param>
    /// <param name="to">Gets the units.</param>
    /// <remarks>As <see cref="Run"/> it is not put into another method.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Window(float* x, nint whole, int* places, nint parts, float* weight, nint apart, float* bias, float* addend,
        float* result, float* to)
    {
        Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default, s4 = default, s5 = default, s6 = default, s7 = default,
            s8 = default, s9 = default, s10 = default, s11 = default, s12 = default, s13 = default, s14 = default, s15 = default;
        nint two = 2 * apart, three = 3 * apart, four = 4 * apart;
        float* a = weight, b = a + four, c = b + four, d = c + four;
        for (nint i = 0; i < whole; i++, a += 16, b += 16, c += 16, d += 16)
        {
            var v = Vector512.Load(x + (i * 16));
            s0 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(a), s0);
            s1 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(a + apart), s1);
            s2 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(a + two), s2);
            s3 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(a + three), s3);
            s4 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(b), s4);
            s5 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(b + apart), s5);
            s6 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(b + two), s6);
            s7 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(b + three), s7);
            s8 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(c), s8);
            s9 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(c + apart), s9);
            s10 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(c + two), s10);
            s11 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(c + three), s11);
            s12 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(d), s12);
            s13 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(d + apart), s13);
            s14 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(d + two), s14);
            s15 = Avx512F.FusedMultiplyAdd(v, Vector512.Load(d + three), s15);
        }
        for (; parts > 0; parts--, places += 16, a += 16, b += 16, c += 16, d += 16)
        {
            s0 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[0]), Vector512.Load(a), s0);
            s1 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[1]), Vector512.Load(a + apart), s1);
            s2 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[2]), Vector512.Load(a + two), s2);
            s3 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[3]), Vector512.Load(a + three), s3);
            s4 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[4]), Vector512.Load(b), s4);
            s5 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[5]), Vector512.Load(b + apart), s5);
            s6 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[6]), Vector512.Load(b + two), s6);
            s7 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[7]), Vector512.Load(b + three), s7);
            s8 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[8]), Vector512.Load(c), s8);
            s9 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[9]), Vector512.Load(c + apart), s9);
            s10 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[10]), Vector512.Load(c + two), s10);
            s11 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[11]), Vector512.Load(c + three), s11);
            s12 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[12]), Vector512.Load(d), s12);
            s13 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[13]), Vector512.Load(d + apart), s13);
            s14 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[14]), Vector512.Load(d + two), s14);
            s15 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[15]), Vector512.Load(d + three), s15);
        }
        var sum = Fold(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15) + Vector512.Load(bias);
        if (addend != null) sum += Vector512.Load(addend);
        if (result != null) sum.Store(result);
        // NaN stays
        Vector512.MaxNative(Vector512<float>.Zero, sum).Store(to);
    }

    /// <summary>The sums over the lanes of sixteen vectors behind one another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static Vector512<float> Sum(float* sums) => Fold(Vector512.Load(sums), Vector512.Load(sums + 16), Vector512.Load(sums + 32),
        Vector512.Load(sums + 48), Vector512.Load(sums + 64), Vector512.Load(sums + 80), Vector512.Load(sums + 96),
        Vector512.Load(sums + 112), Vector512.Load(sums + 128), Vector512.Load(sums + 144), Vector512.Load(sums + 160),
        Vector512.Load(sums + 176), Vector512.Load(sums + 192), Vector512.Load(sums + 208), Vector512.Load(sums + 224),
        Vector512.Load(sums + 240));

    // sums over the lanes: after each fold a vector holds half as many numbers of twice as many units
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Fold(Vector512<float> s0, Vector512<float> s1, Vector512<float> s2, Vector512<float> s3,
        Vector512<float> s4, Vector512<float> s5, Vector512<float> s6, Vector512<float> s7, Vector512<float> s8, Vector512<float> s9,
        Vector512<float> s10, Vector512<float> s11, Vector512<float> s12, Vector512<float> s13, Vector512<float> s14,
        Vector512<float> s15)
    {
        s0 = Eights(s0, s8);
        s1 = Eights(s1, s9);
        s2 = Eights(s2, s10);
        s3 = Eights(s3, s11);
        s4 = Eights(s4, s12);
        s5 = Eights(s5, s13);
        s6 = Eights(s6, s14);
        s7 = Eights(s7, s15);
        s0 = Fours(s0, s4);
        s1 = Fours(s1, s5);
        s2 = Fours(s2, s6);
        s3 = Fours(s3, s7);
        return Ones(Twos(s0, s2), Twos(s1, s3));
    }

    // lanes of a where their number has no 8 in it, and of b where it has
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Eights(Vector512<float> a, Vector512<float> b)
    {
        var inB = Vector512.Create(0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1).AsSingle();
        return Vector512.ConditionalSelect(inB, b, a) + Avx512F.Shuffle4x128(a, b, 0x4E);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Fours(Vector512<float> a, Vector512<float> b)
    {
        var inB = Vector512.Create(0, 0, 0, 0, -1, -1, -1, -1, 0, 0, 0, 0, -1, -1, -1, -1).AsSingle();
        var other = Vector512.ConditionalSelect(inB, a, b);
        return Vector512.ConditionalSelect(inB, b, a) + Avx512F.Shuffle4x128(other, other, 0xB1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Twos(Vector512<float> a, Vector512<float> b)
    {
        var inB = Vector512.Create(0, 0, -1, -1, 0, 0, -1, -1, 0, 0, -1, -1, 0, 0, -1, -1).AsSingle();
        return Vector512.ConditionalSelect(inB, b, a) + Avx512F.Shuffle(a, b, 0x4E);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Ones(Vector512<float> a, Vector512<float> b)
    {
        var inB = Vector512.Create(0, -1, 0, -1, 0, -1, 0, -1, 0, -1, 0, -1, 0, -1, 0, -1).AsSingle();
        var other = Vector512.ConditionalSelect(inB, a, b);
        return Vector512.ConditionalSelect(inB, b, a) + Avx512F.Shuffle(other, other, 0xB1);
    }
}
