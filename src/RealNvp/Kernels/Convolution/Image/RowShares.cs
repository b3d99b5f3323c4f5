using System.Runtime.Intrinsics;

namespace RealNvp.Kernels;

/// <summary>Sums over pixels in shares, whose number depends on the pixels alone, so that the sums do not depend on the threads.</summary>
internal static unsafe class RowShares
{
    private const int Largest = 8, SmallestShare = 512;

    /// <summary>The shares of so many pixels.</summary>
    public static int Count(int pixels) => Math.Clamp(pixels / SmallestShare, 1, Largest);

    /// <summary>Adds shares, <paramref name="apart"/> from one to the next, in their order.</summary>
    public static void Add(float* shares, nint apart, int count, float* to, nint length)
    {
        nint i = 0;
        for (; i <= length - 16; i += 16)
        {
            var sum = Vector512.Load(shares + i);
            for (var share = 1; share < count; share++) sum += Vector512.Load(shares + (share * apart) + i);
            sum.Store(to + i);
        }
        for (; i < length; i++)
        {
            var sum = shares[i];
            for (var share = 1; share < count; share++) sum += shares[(share * apart) + i];
            to[i] = sum;
        }
    }

    /// <summary>Adds rows to sums of their columns.</summary>
    public static void AddRows<TLanes>(float* rows, int count, int columns, float* sums) where TLanes : struct, ILanes<TLanes, float>
    {
        nint c = 0;
        for (; c <= columns - TLanes.Count; c += TLanes.Count)
        {
            var sum = TLanes.Zero;
            var from = rows + c;
            for (var r = 0; r < count; r++, from += columns) sum += TLanes.Load(from);
            TLanes.Store(TLanes.Load(sums + c) + sum, sums + c);
        }
        for (; c < columns; c++)
        {
            float sum = 0;
            for (nint r = 0; r < count; r++) sum += rows[(r * columns) + c];
            sums[c] += sum;
        }
    }
}
