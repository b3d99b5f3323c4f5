using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RealNvp.Kernels;

/// <summary>The vectors of a processor, so that one kernel serves all widths: <typeparamref name="V"/> holds <see cref="Count"/> numbers.</summary>
internal unsafe interface IDenseLanes<V> where V : struct
{
    static abstract int Count { get; }
    static abstract V Zero { get; }
    static abstract V Load(float* from);
    static abstract void Store(V value, float* to);
    static abstract V Broadcast(float value);
    static abstract V Add(V a, V b);
    static abstract V Subtract(V a, V b);
    static abstract V Multiply(V a, V b);
    static abstract V MultiplyAdd(V a, V b, V c);

    /// <summary>max(x, 0), and NaN where x is NaN, as torch has it.</summary>
    static abstract V Relu(V x);

    /// <summary>The gradient of relu: 0 where its result was 0, and <paramref name="gradient"/> elsewhere, where the result was NaN too.</summary>
    static abstract V Gate(V gradient, V result);
}

internal readonly unsafe struct DenseLanes256 : IDenseLanes<Vector256<float>>
{
    public static int Count => 8;
    public static Vector256<float> Zero => Vector256<float>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* from) => Vector256.Load(from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> value, float* to) => value.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Broadcast(float value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Subtract(Vector256<float> a, Vector256<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) => Vector256.FusedMultiplyAdd(a, b, c);

    // the processor's maximum gives its second operand where one is NaN
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Relu(Vector256<float> x) => Avx.IsSupported ? Avx.Max(Vector256<float>.Zero, x) : Vector256.Max(Vector256<float>.Zero, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Gate(Vector256<float> gradient, Vector256<float> result) =>
        Vector256.AndNot(gradient, Vector256.LessThanOrEqual(result, Vector256<float>.Zero));
}

internal readonly unsafe struct DenseLanes512 : IDenseLanes<Vector512<float>>
{
    public static int Count => 16;
    public static Vector512<float> Zero => Vector512<float>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* from) => Vector512.Load(from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> value, float* to) => value.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Broadcast(float value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Subtract(Vector512<float> a, Vector512<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) => Vector512.FusedMultiplyAdd(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Relu(Vector512<float> x) => Avx512F.IsSupported ? Avx512F.Max(Vector512<float>.Zero, x) : Vector512.Max(Vector512<float>.Zero, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Gate(Vector512<float> gradient, Vector512<float> result) =>
        Vector512.AndNot(gradient, Vector512.LessThanOrEqual(result, Vector512<float>.Zero));
}

/// <summary>A number that is known when a kernel is compiled.</summary>
internal interface IDenseNumber
{
    static abstract int Value { get; }
}

internal readonly struct Dense1 : IDenseNumber { public static int Value => 1; }
internal readonly struct Dense2 : IDenseNumber { public static int Value => 2; }
internal readonly struct Dense3 : IDenseNumber { public static int Value => 3; }
internal readonly struct Dense4 : IDenseNumber { public static int Value => 4; }
internal readonly struct Dense5 : IDenseNumber { public static int Value => 5; }
internal readonly struct Dense6 : IDenseNumber { public static int Value => 6; }
