using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>What layers of dynamics make of time: t itself, then cos(πkt), then sin(πkt) for k = 1 ... F.</summary>
internal static unsafe class DynamicsTimes
{
    /// <summary>Writes K = 1 + 2F functions of some times, one after the other.</summary>
    /// <param name="times">The times.</param>
    /// <param name="count">How many they are.</param>
    /// <param name="functions">K.</param>
    /// <param name="to">Gets (K, count).</param>
    public static void Write<T>(T* times, int count, int functions, T* to) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        new ReadOnlySpan<T>(times, count).CopyTo(new Span<T>(to, count));
        var frequencies = (functions - 1) / 2;
        if (frequencies == 0) return;
        for (var i = 0; i < count; i++)
        {
            // in float64, where turning on by the same angle loses nothing that float32 would see
            var (sin, cos) = Math.SinCos(Math.PI * double.CreateTruncating(times[i]));
            var (s, c) = (sin, cos);
            for (var k = 1; k <= frequencies; k++)
            {
                to[(k * count) + i] = T.CreateTruncating(c);
                to[((frequencies + k) * count) + i] = T.CreateTruncating(s);
                (s, c) = ((s * cos) + (c * sin), (c * cos) - (s * sin));
            }
        }
    }
}
