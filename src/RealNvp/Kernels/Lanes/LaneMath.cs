using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Functions of lanes that the vector types of .NET lack, or have in a form that is slower than kernels need.</summary>
internal static class LaneMath<TLanes, T> where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>exp(a) for a ≤ 0, to an ulp or two. What is below e⁻⁸⁶ (float) or
    /// e⁻⁷⁰⁰ (double) is that: no denormal numbers, never 0. NaN stays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes ExpOfNegative(TLanes a)
    {
        return ExpWithin(TLanes.Max(TLanes.Number(typeof(T) == typeof(float) ? -86 : -700), a));
    }

    /// <summary>exp(a) for a within ±86 (float) or ±700 (double), to an ulp or two. NaN stays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes ExpWithin(TLanes a)
    {
        // a sum this large is rounded to a whole number, which stands in its low bits
        var shifted = TLanes.MultiplyAdd(a, TLanes.Number(1.4426950408889634), TLanes.Number(typeof(T) == typeof(float) ? 12582912.0
            : 6755399441055744.0));
        return TLanes.Scale(ExpPart(a, shifted) + TLanes.Number(1), shifted);
    }

    /// <summary>exp(a) − 1 for a ≤ 0, and <paramref name="exp"/>, each with a small relative error. NaN stays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes ExpMinusOneOfNegative(TLanes a, out TLanes exp)
    {
        a = TLanes.Max(TLanes.Number(typeof(T) == typeof(float) ? -86 : -700), a);
        var shifted = TLanes.MultiplyAdd(a, TLanes.Number(1.4426950408889634), TLanes.Number(typeof(T) == typeof(float) ? 12582912.0
            : 6755399441055744.0));
        var power = TLanes.Scale(TLanes.Number(1), shifted);
        var part = ExpPart(a, shifted);
        exp = TLanes.MultiplyAdd(power, part, power);
        return TLanes.MultiplyAdd(power, part, power - TLanes.Number(1));
    }

    /// <summary>exp(a) for a of both signs; what is beyond ±86 (float) or ±700 (double) counts as that. NaN stays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Exp(TLanes a) => ExpOfNegative(TLanes.Min(TLanes.Number(typeof(T) == typeof(float) ? 86 : 700), a));

    /// <summary>exp(r) − 1 for the r that is left of <paramref name="a"/> when a whole number of log 2 is taken away.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes ExpPart(TLanes a, TLanes shifted)
    {
        var n = shifted - TLanes.Number(typeof(T) == typeof(float) ? 12582912.0 : 6755399441055744.0);
        // log 2 in two parts, the first with zeros at its end, so that its product with n is exact
        var r = TLanes.MultiplyAdd(n, TLanes.Number(typeof(T) == typeof(float) ? -0.693145751953125 : -6.93147180369123816490e-01), a);
        r = TLanes.MultiplyAdd(n, TLanes.Number(typeof(T) == typeof(float) ? -1.428606820309417e-06 : -1.90821492927058770002e-10), r);
        TLanes p;
        if (typeof(T) == typeof(float))
        {
            p = TLanes.MultiplyAdd(TLanes.Number(1.9875691500e-4), r, TLanes.Number(1.3981999507e-3));
            p = TLanes.MultiplyAdd(p, r, TLanes.Number(8.3334519073e-3));
            p = TLanes.MultiplyAdd(p, r, TLanes.Number(4.1665795894e-2));
            p = TLanes.MultiplyAdd(p, r, TLanes.Number(1.6666665459e-1));
            p = TLanes.MultiplyAdd(p, r, TLanes.Number(5.0000001201e-1));
        }
        else
        {
            // Taylor: |r| ≤ 0.347, so what is left out is below 1e-17
            p = TLanes.MultiplyAdd(TLanes.Number(1.0 / 6227020800), r, TLanes.Number(1.0 / 479001600));
            p = TLanes.MultiplyAdd(p, r, TLanes.Number(1.0 / 39916800));
            p = TLanes.MultiplyAdd(p, r, TLanes.Number(1.0 / 3628800));
            p = TLanes.MultiplyAdd(p, r, TLanes.Number(1.0 / 362880));
            p = TLanes.MultiplyAdd(p, r, TLanes.Number(1.0 / 40320));
            p = TLanes.MultiplyAdd(p, r, TLanes.Number(1.0 / 5040));
            p = TLanes.MultiplyAdd(p, r, TLanes.Number(1.0 / 720));
            p = TLanes.MultiplyAdd(p, r, TLanes.Number(1.0 / 120));
            p = TLanes.MultiplyAdd(p, r, TLanes.Number(1.0 / 24));
            p = TLanes.MultiplyAdd(p, r, TLanes.Number(1.0 / 6));
            p = TLanes.MultiplyAdd(p, r, TLanes.Number(0.5));
        }
        return TLanes.MultiplyAdd(p, r * r, r);
    }

    /// <summary>log(1 + a) for 0 ≤ a ≤ 1, with a small relative error.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes LogOnePlus(TLanes a)
    {
        if (typeof(T) == typeof(float))
        {
            // 2 artanh(s): s² ≤ 1/9, so what is left out is below 1e-8 of the whole
            var s = a / (TLanes.Number(2) + a);
            var square = s * s;
            var p = TLanes.MultiplyAdd(TLanes.Number(2.0 / 15), square, TLanes.Number(2.0 / 13));
            p = TLanes.MultiplyAdd(p, square, TLanes.Number(2.0 / 11));
            p = TLanes.MultiplyAdd(p, square, TLanes.Number(2.0 / 9));
            p = TLanes.MultiplyAdd(p, square, TLanes.Number(2.0 / 7));
            p = TLanes.MultiplyAdd(p, square, TLanes.Number(2.0 / 5));
            p = TLanes.MultiplyAdd(p, square, TLanes.Number(2.0 / 3));
            return TLanes.MultiplyAdd(p * square, s, s + s);
        }
        var one = TLanes.Number(1);
        var sum = one + a;
        // what the sum lost, to first order
        return TLanes.Log(sum) + ((a - (sum - one)) / sum);
    }

    /// <summary>a + b; what rounding takes from it is added to <paramref name="rest"/> (Knuth).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Add(TLanes a, TLanes b, ref TLanes rest)
    {
        var sum = a + b;
        var added = sum - a;
        rest += (a - (sum - added)) + (b - added);
        return sum;
    }

    /// <summary>max(a, 0), and NaN if a is NaN, as torch has it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Relu(TLanes a) => TLanes.Max(TLanes.Zero, a);

    /// <summary>The gradient of relu: 0 if its result was 0, and
    /// <paramref name="gradient"/> elsewhere, where the result was NaN too.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Gate(TLanes gradient, TLanes result) => TLanes.Select(TLanes.AtLeast(TLanes.Zero, result), TLanes.Zero, gradient);

    /// <summary>a clamped to [0, 1]; NaN stays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Unit(TLanes a) => TLanes.Min(TLanes.Number(1), TLanes.Max(TLanes.Number(0), a));
}
