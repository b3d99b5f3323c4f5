using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Value and log-derivative of a vector of elements in one pass. Streams: input, parameters; value, log-derivative.</summary>
/// <param name="shape">The spline.</param>
/// <param name="inverse">The direction.</param>
/// <param name="recorded">Whether a <see cref="SplineRecord{TLanes, T}"/> takes the place of the parameters.</param>
internal readonly unsafe struct SplineKernel<TLanes, T>(SplineShape shape, bool inverse, bool recorded) : IElementKernel<T>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly SplineSearch<TLanes, T> search = new(shape);
    private readonly int bins = shape.Bins;
    private readonly SplineEnds ends = shape.Ends;

    /// <inheritdoc/>
    public int Scratch => search.Scratch;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public void Run(T** at, nint* steps, T* scratch)
    {
        var input = TLanes.Load(at[0]);
        ref var state = ref search.State(scratch);
        ref var inside = ref state.Inside;
        ref var bin = ref state.Bin;
        ref var curve = ref state.Curve;
        inside = Inside(input, at[0], search.Low, search.High, ends, scratch);
        search.Run(inside, inverse, at[1], steps[1], scratch, out bin);
        SplineCurve<TLanes, T>.Locate(inside, inverse, bin, search, ends == SplineEnds.Linear, T.CreateTruncating(bins - 1), out curve);
        if (recorded) SplineRecord<TLanes, T>.Write(search, scratch, bins, bin.Index, curve, at[1], steps[1]);
        var logDerivative = curve.LogDerivative();
        var value = inverse ? curve.X(bin.X, search.High) : curve.Y(bin.Y, search.High);
        if (inverse) logDerivative = -logDerivative;
        if (ends == SplineEnds.Linear)
        {
            var within = Within(input, search.Low, search.High);
            value = TLanes.Select(within, value, input);
            logDerivative = TLanes.Select(within, logDerivative, TLanes.Number(0));
        }
        else
        {
            var beyond = input - inside;
            if (ends == SplineEnds.Box)
            {
                var derivative = curve.Derivative();
                beyond = inverse ? beyond / derivative : beyond * derivative;
            }
            // inside there is nothing to add, not even 0 times a derivative that overflows
            value = TLanes.Select(TLanes.Same(input, inside), value, value + beyond);
        }
        TLanes.Store(value, at[2]);
        TLanes.Store(logDerivative, at[3]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static TLanes Within(TLanes input, T low, T high)
    {
        var above = TLanes.AtLeast(input, TLanes.Create(low));
        return TLanes.Select(above, TLanes.AtLeast(TLanes.Create(high), input), above);
    }

    /// <summary>The value in the interval that stands for the input: the nearest one, or the one at the same angle.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static TLanes Inside(TLanes input, T* from, T low, T high, SplineEnds ends, T* scratch)
    {
        if (ends != SplineEnds.Circular) return TLanes.Min(TLanes.Create(high), TLanes.Max(TLanes.Create(low), input));
        return Turn(from, low, high, scratch) ? TLanes.Load(scratch) : input;
    }

    /// <summary>Takes angles back to the circle; false if all are there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool Turn(T* from, T low, T high, T* to)
    {
        var period = high - low;
        var turned = false;
        for (var i = 0; i < TLanes.Count; i++)
        {
            var value = from[i];
            if (!(value >= low && value <= high))
            {
                // the remainder of C# has the sign of the left side and is exact
                value = (value - low) % period;
                if (value < T.Zero) value += period;
                value += low;
                turned = true;
            }
            to[i] = value;
        }
        return turned;
    }
}
