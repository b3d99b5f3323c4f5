using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>One number: for hardware without vectors.</summary>
internal readonly unsafe struct Lanes1<T>(T value) : ILanes<Lanes1<T>, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly T v = value;

    public static int Count => 1;

    public static Lanes1<T> Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(T.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> Create(T value) => new(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> Number(double value) => new(T.CreateTruncating(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> Load(T* from) => new(*from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes1<T> value, T* to) => *to = value.v;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> operator +(Lanes1<T> a, Lanes1<T> b) => new(a.v + b.v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> operator -(Lanes1<T> a, Lanes1<T> b) => new(a.v - b.v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> operator *(Lanes1<T> a, Lanes1<T> b) => new(a.v * b.v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> operator /(Lanes1<T> a, Lanes1<T> b) => new(a.v / b.v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> operator -(Lanes1<T> a) => new(-a.v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> MultiplyAdd(Lanes1<T> a, Lanes1<T> b, Lanes1<T> c) => new(T.MultiplyAddEstimate(a.v, b.v, c.v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(ref Lanes1<T> sum, Lanes1<T> a, Lanes1<T> b) => sum = MultiplyAdd(a, b, sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(ref Lanes1<T> sum, Lanes1<T> a, T* b) => sum = MultiplyAdd(a, Create(*b), sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(ref Lanes1<T> sum, T* from) => sum += Load(from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> Sqrt(Lanes1<T> a) => new(T.Sqrt(a.v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> Abs(Lanes1<T> a) => new(T.Abs(a.v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> Max(Lanes1<T> a, Lanes1<T> b) => a.v > b.v ? a : b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> Min(Lanes1<T> a, Lanes1<T> b) => a.v < b.v ? a : b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> AtLeast(Lanes1<T> a, Lanes1<T> b) => Mask(a.v >= b.v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> Above(Lanes1<T> a, Lanes1<T> b) => Mask(a.v > b.v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> Same(Lanes1<T> a, Lanes1<T> b) => Mask(a.v == b.v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> Select(Lanes1<T> mask, Lanes1<T> yes, Lanes1<T> no) => mask.v != T.Zero ? yes : no;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> Log(Lanes1<T> a) => new(T.Log(a.v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Sum(Lanes1<T> a) => a.v;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1<T> Scale(Lanes1<T> value, Lanes1<T> shifted) => typeof(T) == typeof(float)
        ? new(Unsafe.BitCast<int, T>(Unsafe.BitCast<T, int>(value.v) + (Unsafe.BitCast<T, int>(shifted.v) << 23)))
        : new(Unsafe.BitCast<long, T>(Unsafe.BitCast<T, long>(value.v) + (Unsafe.BitCast<T, long>(shifted.v) << 52)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes1<T> Mask(bool yes) => new(yes ? T.One : T.Zero);
}
