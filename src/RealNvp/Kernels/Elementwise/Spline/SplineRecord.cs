using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>The shares of an axis that lie before a bin, in it and behind it.</summary>
internal struct SplineShares<TLanes>
{
    /// <summary>The parts of the softmax. Each is a sum of its own terms: none is what the others leave of 1.</summary>
    public TLanes First, Own, Last;

    /// <summary>The share of the interval that an exponential of 1 has.</summary>
    public TLanes Scale;
}

/// <summary>What the gradients need of the pass that computed the values, in the place of the parameters.</summary>
/// <remarks>The exponentials of all weights, the number of the bin, the place in it from both sides, and for both knots the derivative and
/// its rate. Without it the gradients take as many exponentials, logarithms and searches again.</remarks>
internal static unsafe class SplineRecord<TLanes, T> where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Numbers behind the exponentials.</summary>
    public const int Numbers = 7;

    /// <summary>Writes it over the parameters.</summary>
    /// <param name="search">Where the exponentials are.</param>
    /// <param name="scratch">The memory of the search.</param>
    /// <param name="bins">The number of bins.</param>
    /// <param name="index">The bin.</param>
    /// <param name="curve">The place in it.</param>
    /// <param name="to">The first parameter.</param>
    /// <param name="step">From one to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Write(in SplineSearch<TLanes, T> search, T* scratch, int bins, in TLanes index, in SplineCurve<TLanes, T> curve,
        T* to, nint step)
    {
        for (var i = 0; i < 2 * bins; i++, to += step) TLanes.Store(TLanes.Load(search.Exponential(scratch, 0, i)), to);
        TLanes.Store(index, to);
        TLanes.Store(curve.At, to + step);
        TLanes.Store(curve.Rest, to + (2 * step));
        TLanes.Store(curve.Left, to + (3 * step));
        TLanes.Store(curve.LeftRate, to + (4 * step));
        TLanes.Store(curve.Right, to + (5 * step));
        TLanes.Store(curve.RightRate, to + (6 * step));
    }

    /// <summary>Reads it.</summary>
    /// <param name="search">Knows how large bins are.</param>
    /// <param name="from">Where the first parameter was.</param>
    /// <param name="step">From one to the next.</param>
    /// <param name="bins">The number of bins.</param>
    /// <param name="state">Gets the bin's number and sizes, the curve and the shares.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Read(in SplineSearch<TLanes, T> search, T* from, nint step, int bins, ref SplineState<TLanes, T> state)
    {
        ref var bin = ref state.Bin;
        ref var curve = ref state.Curve;
        var at = from + (2 * bins * step);
        bin.Index = TLanes.Load(at);
        Shares(search, from, step, bins, bin.Index, out state.X, out bin.X.Size);
        Shares(search, from + (bins * step), step, bins, bin.Index, out state.Y, out bin.Y.Size);
        curve.At = TLanes.Load(at + step);
        curve.Rest = TLanes.Load(at + (2 * step));
        curve.Left = TLanes.Load(at + (3 * step));
        curve.LeftRate = TLanes.Load(at + (4 * step));
        curve.Right = TLanes.Load(at + (5 * step));
        curve.RightRate = TLanes.Load(at + (6 * step));
        curve.Slope = bin.Y.Size / bin.X.Size;
        curve.Sum();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Shares(in SplineSearch<TLanes, T> search, T* from, nint step, int bins, in TLanes bin,
        out SplineShares<TLanes> shares, out TLanes size)
    {
        var index = bin;
        TLanes zero = TLanes.Number(0), one = TLanes.Number(1), k = zero;
        var (first, own, last) = (zero, zero, zero);
        for (var i = 0; i < bins; i++, from += step, k += one)
        {
            var e = TLanes.Load(from);
            first += TLanes.Select(TLanes.Above(index, k), e, zero);
            own = TLanes.Select(TLanes.Same(index, k), e, own);
            last += TLanes.Select(TLanes.Above(k, index), e, zero);
        }
        var part = one / (first + own + last);
        search.Sizes(own, part, out shares.Scale, out size);
        (shares.First, shares.Own, shares.Last) = (first * part, own * part, last * part);
    }
}
