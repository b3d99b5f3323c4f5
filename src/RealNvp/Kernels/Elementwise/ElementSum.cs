using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace RealNvp.Kernels;

/// <summary>Sums of the numbers of a row in float64, the same for any number of
/// threads, whatever other rows there are, and on every processor.</summary>
internal static unsafe class ElementSum
{
    /// <summary>Σ of numbers that lie side by side: float or double.</summary>
    public static double Of<T>(T* values, long count) where T : unmanaged => typeof(T) == typeof(float) ? Of((float*)values, count)
        : Of((double*)values, count);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Of(float* values, long count)
    {
        Vector512<double> first = default, second = default;
        long i = 0;
        for (; i <= count - 16; i += 16)
        {
            var (low, high) = Vector512.Widen(Vector512.Load(values + i));
            first += low;
            second += high;
        }
        var sum = Vector512.Sum(first + second);
        for (; i < count; i++) sum += values[i];
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Of(double* values, long count)
    {
        Vector512<double> first = default, second = default;
        long i = 0;
        for (; i <= count - 16; i += 16)
        {
            first += Vector512.Load(values + i);
            second += Vector512.Load(values + i + 8);
        }
        var sum = Vector512.Sum(first + second);
        for (; i < count; i++) sum += values[i];
        return sum;
    }
}
