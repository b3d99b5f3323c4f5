using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Finds bins and their knots.</summary>
/// <remarks>
/// A bin of 0.001 of the interval magnifies the error of its knot a thousandfold, and the knot is a sum of sizes that are up to a
/// thousand times as large. So all sums here carry what rounding takes from them, at the price of a few additions for each exponential.
/// </remarks>
internal readonly unsafe struct SplineSearch<TLanes, T> where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly int bins;
    private readonly SplineEnds ends;
    private readonly T floor, share, shareRest;
    private readonly double steepness, flatness, minDerivative;

    public SplineSearch(SplineShape shape)
    {
        (bins, ends) = (shape.Bins, shape.Ends);
        (Low, High) = (T.CreateTruncating(shape.Low), T.CreateTruncating(shape.High));
        floor = T.CreateTruncating((shape.High - shape.Low) * shape.MinBinSize);
        (steepness, flatness, minDerivative) = (shape.Steepness, 1 / shape.Steepness, shape.MinDerivative);
        var all = (shape.High - shape.Low) * (1 - (shape.MinBinSize * shape.Bins));
        share = T.CreateTruncating(all);
        shareRest = T.CreateTruncating((all - double.CreateTruncating(share)) / all);
    }

    /// <summary>The derivative of a parameter, a softplus, and its rate.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Derivative(in TLanes raw, out TLanes value, out TLanes rate)
    {
        var zero = TLanes.Number(0);
        var one = TLanes.Number(1);
        var x = raw * TLanes.Number(steepness);
        var e = LaneMath<TLanes, T>.ExpOfNegative(-TLanes.Abs(x));
        var softplus = TLanes.Max(zero, x) + LaneMath<TLanes, T>.LogOnePlus(e);
        value = TLanes.MultiplyAdd(softplus, TLanes.Number(flatness), TLanes.Number(minDerivative));
        rate = TLanes.Select(TLanes.AtLeast(x, zero), one, e) / (one + e);
    }

    public T Low { get; }

    public T High { get; }

    /// <summary>Numbers of memory for each lane: for both axes and each bin an exponential, the sum before it, and the rest of the sum;
    /// then a <see cref="SplineState{TLanes, T}"/>.</summary>
    public int Scratch => (6 * bins) + SplineState<TLanes, T>.Vectors;

    /// <summary>The state in that memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref SplineState<TLanes, T> State(T* scratch) => ref SplineState<TLanes, T>.In(scratch + (6 * bins * TLanes.Count));

    /// <summary>The bin of each value, from the parameters of a vector of elements.</summary>
    /// <param name="value">Values inside of the interval.</param>
    /// <param name="inverse">Whether they are on the axis of heights.</param>
    /// <param name="parameters">Where the first parameter is.</param>
    /// <param name="step">From one to the next.</param>
    /// <param name="scratch">Memory, where the exponentials stay: those of the
    /// widths and then those of the heights, see <see cref="Exponential"/>.</param>
    /// <param name="bin">The result.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(in TLanes value, bool inverse, T* parameters, nint step, T* scratch, out SplineBin<TLanes> bin)
    {
        Unsafe.SkipInit(out bin);
        Softmax(parameters, step, scratch, ref bin.X);
        Softmax(parameters + (bins * step), step, scratch + (3 * bins * TLanes.Count), ref bin.Y);
        Find(value, inverse, scratch, parameters + (2 * bins * step), step, ref bin);
        Finish(bin.Index, ref bin.X);
        Finish(bin.Index, ref bin.Y);
    }

    /// <summary>The share of the interval that an exponential of 1 has, and the size of a bin, from its exponential and 1 divided by the
    /// sum of all.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Sizes(TLanes own, TLanes part, out TLanes scale, out TLanes size)
    {
        scale = TLanes.Create(share) * part;
        size = TLanes.MultiplyAdd(own, scale, TLanes.Create(floor));
    }

    /// <summary>Where the exponential of a bin is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T* Exponential(T* scratch, int axis, int bin) => scratch + (((axis * bins) + bin) * 3 * TLanes.Count);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Softmax(T* weights, nint step, T* scratch, ref SplineAxis<TLanes> axis)
    {
        var largest = TLanes.Load(weights);
        for (var k = 1; k < bins; k++) largest = TLanes.Max(largest, TLanes.Load(weights + (k * step)));
        var sum = TLanes.Number(0);
        var rest = sum;
        for (var k = 0; k < bins; k++, weights += step, scratch += 3 * TLanes.Count)
        {
            var e = LaneMath<TLanes, T>.ExpOfNegative(TLanes.Load(weights) - largest);
            TLanes.Store(e, scratch);
            TLanes.Store(sum, scratch + TLanes.Count);
            TLanes.Store(rest, scratch + (2 * TLanes.Count));
            sum = LaneMath<TLanes, T>.Add(sum, e, ref rest);
        }
        axis.Sum = sum;
        axis.SumRest = rest;
        var all = TLanes.Create(share);
        var scale = all / sum;
        axis.Scale = scale;
        axis.ScaleRest = ((TLanes.MultiplyAdd(-scale, sum, all) - (scale * rest)) / all) + TLanes.Create(shareRest);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Find(in TLanes given, bool inverse, T* scratch, T* derivatives, nint step, ref SplineBin<TLanes> bin)
    {
        var value = given;
        var x = scratch;
        var y = scratch + (3 * bins * TLanes.Count);
        var own = inverse ? y : x;
        var scale = inverse ? bin.Y.Scale : bin.X.Scale;
        TLanes low = TLanes.Create(Low), least = TLanes.Create(floor), zero = TLanes.Number(0), one = TLanes.Number(1);
        var (index, number) = (zero, zero);
        var (ownX, beforeX, restX, ownY, beforeY, restY) = (TLanes.Load(x), zero, zero, TLanes.Load(y), zero, zero);
        // linear tails have no parameter at their edges, a circle has one for both
        var right = derivatives + (ends == SplineEnds.Linear ? 0 : step);
        var last = ends == SplineEnds.Circular ? derivatives : right + ((bins - 1) * step);
        var left = ends == SplineEnds.Linear ? zero : TLanes.Load(derivatives);
        var next = bins > 1 ? TLanes.Load(right) : ends == SplineEnds.Linear ? zero : TLanes.Load(last);
        var (leftRaw, rightRaw) = (left, next);
        for (var k = 1; k < bins; k++)
        {
            x += 3 * TLanes.Count;
            y += 3 * TLanes.Count;
            own += 3 * TLanes.Count;
            left = next;
            next = k < bins - 1 ? TLanes.Load(right + (k * step)) : ends == SplineEnds.Linear ? zero : TLanes.Load(last);
            number += one;
            var reached = TLanes.AtLeast(value, TLanes.MultiplyAdd(TLanes.Load(own + TLanes.Count), scale,
                TLanes.MultiplyAdd(number, least, low)));
            index = TLanes.Select(reached, number, index);
            ownX = TLanes.Select(reached, TLanes.Load(x), ownX);
            beforeX = TLanes.Select(reached, TLanes.Load(x + TLanes.Count), beforeX);
            restX = TLanes.Select(reached, TLanes.Load(x + (2 * TLanes.Count)), restX);
            ownY = TLanes.Select(reached, TLanes.Load(y), ownY);
            beforeY = TLanes.Select(reached, TLanes.Load(y + TLanes.Count), beforeY);
            restY = TLanes.Select(reached, TLanes.Load(y + (2 * TLanes.Count)), restY);
            leftRaw = TLanes.Select(reached, left, leftRaw);
            rightRaw = TLanes.Select(reached, next, rightRaw);
        }
        (bin.Index, bin.Left, bin.Right) = (index, leftRaw, rightRaw);
        (bin.X.Own, bin.X.Before, bin.X.BeforeRest) = (ownX, beforeX, restX);
        (bin.Y.Own, bin.Y.Before, bin.Y.BeforeRest) = (ownY, beforeY, restY);
    }

    /// <summary>The knot before the bin, low + index · floor + before · scale, and the bin's size.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Finish(TLanes index, ref SplineAxis<TLanes> axis)
    {
        var least = TLanes.Create(floor);
        var product = axis.Before * axis.Scale;
        var rest = TLanes.MultiplyAdd(axis.Before, axis.Scale, -product) + (axis.BeforeRest * axis.Scale) + (product * axis.ScaleRest);
        var least0 = LaneMath<TLanes, T>.Add(TLanes.Create(Low), index * least, ref rest);
        axis.Knot = LaneMath<TLanes, T>.Add(least0, product, ref rest);
        axis.KnotRest = rest;
        axis.Size = TLanes.MultiplyAdd(axis.Own, axis.Scale, least);
    }
}
