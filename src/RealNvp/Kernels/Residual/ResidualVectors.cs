using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Sums and products of long rows of numbers, by vectors.</summary>
internal static unsafe class ResidualVectors
{
    /// <summary>to = a·factor.</summary>
    public static void Scale<T>(T* a, double factor, T* to, long count) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        LaneWidth.Run<Code<T>, T>(new(a, null, to, count, factor));

    /// <summary>to += a·factor.</summary>
    public static void Add<T>(T* a, double factor, T* to, long count) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        LaneWidth.Run<Code<T>, T>(new(a, to, to, count, factor));

    /// <summary>Σ a·b: by vectors within 256 numbers, and in float64 from there on.</summary>
    public static double Dot<T>(T* a, T* b, long count) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        double sum = 0;
        LaneWidth.Run<Code<T>, T>(new(a, b, null, count, 0) { Sum = &sum });
        return sum;
    }

    /// <summary>The sum of the lanes.</summary>
    public static double Total<TLanes, T>(TLanes lanes)
        where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var numbers = stackalloc T[64];
        TLanes.Store(lanes, numbers);
        var sum = 0.0;
        for (var i = 0; i < TLanes.Count; i++) sum += double.CreateTruncating(numbers[i]);
        return sum;
    }

    private readonly struct Code<T>(T* a, T* b, T* to, long count, double factor) : ILaneCode<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        private const int Part = 256;

        public double* Sum { get; init; }

        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, T>
        {
            var whole = count / TLanes.Count * TLanes.Count;
            if (Sum != null)
            {
                for (long start = 0; start < whole; start += Part) *Sum += Product<TLanes>(start, Math.Min(whole, start + Part));
                *Sum += Product<Lanes1<T>>(whole, count);
                return;
            }
            Move<TLanes>(0, whole);
            Move<Lanes1<T>>(whole, count);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private double Product<TLanes>(long from, long end) where TLanes : struct, ILanes<TLanes, T>
        {
            if (from == end) return 0;
            TLanes s0 = TLanes.Zero, s1 = TLanes.Zero, s2 = TLanes.Zero, s3 = TLanes.Zero;
            var i = from;
            for (; i + (4 * TLanes.Count) <= end; i += 4 * TLanes.Count)
            {
                TLanes.Accumulate(ref s0, TLanes.Load(a + i), TLanes.Load(b + i));
                TLanes.Accumulate(ref s1, TLanes.Load(a + i + TLanes.Count), TLanes.Load(b + i + TLanes.Count));
                TLanes.Accumulate(ref s2, TLanes.Load(a + i + (2 * TLanes.Count)), TLanes.Load(b + i + (2 * TLanes.Count)));
                TLanes.Accumulate(ref s3, TLanes.Load(a + i + (3 * TLanes.Count)), TLanes.Load(b + i + (3 * TLanes.Count)));
            }
            for (; i < end; i += TLanes.Count) TLanes.Accumulate(ref s0, TLanes.Load(a + i), TLanes.Load(b + i));
            return Total<TLanes, T>((s0 + s1) + (s2 + s3));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Move<TLanes>(long from, long end) where TLanes : struct, ILanes<TLanes, T>
        {
            var by = TLanes.Number(factor);
            for (var i = from; i < end; i += TLanes.Count)
            {
                var product = TLanes.Load(a + i) * by;
                TLanes.Store(b == null ? product : TLanes.Load(b + i) + product, to + i);
            }
        }
    }
}
