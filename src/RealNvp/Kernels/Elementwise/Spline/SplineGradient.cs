using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>
/// The gradients of a vector of elements in one pass. Streams: input, parameters, gradient of the value, gradient of the log-derivative;
/// gradient of the input, gradients of the parameters.
/// </summary>
/// <remarks>
/// The inverse map has the gradient of the implicit function: that of the forward map at the root, for the upstream gradients
/// −λ and −g' with λ = (g − g' ∂log y'/∂x)/y'.
/// </remarks>
/// <param name="shape">The spline.</param>
/// <param name="inverse">The direction.</param>
/// <param name="recorded">Whether a <see cref="SplineRecord{TLanes, T}"/> is in the place of the parameters.</param>
internal readonly unsafe struct SplineGradient<TLanes, T>(SplineShape shape, bool inverse, bool recorded) : IElementKernel<T>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly SplineSearch<TLanes, T> search = new(shape);
    private readonly int bins = shape.Bins, derivatives = shape.Derivatives;
    private readonly SplineEnds ends = shape.Ends;

    /// <inheritdoc/>
    public int Scratch => search.Scratch + (Unsafe.SizeOf<SplineBinGradients<TLanes, T>>() / Unsafe.SizeOf<TLanes>());

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public void Run(T** at, nint* steps, T* scratch)
    {
        var input = TLanes.Load(at[0]);
        ref var state = ref search.State(scratch);
        ref var inside = ref state.Inside;
        ref var bin = ref state.Bin;
        ref var curve = ref state.Curve;
        ref var gradients = ref Unsafe.AsRef<SplineBinGradients<TLanes, T>>(scratch + (search.Scratch * TLanes.Count));
        inside = SplineKernel<TLanes, T>.Inside(input, at[0], search.Low, search.High, ends, scratch);
        if (recorded) SplineRecord<TLanes, T>.Read(search, at[1], steps[1], bins, ref state);
        else
        {
            search.Run(inside, inverse, at[1], steps[1], scratch, out bin);
            SplineCurve<TLanes, T>.Locate(inside, inverse, bin, search, ends == SplineEnds.Linear, T.CreateTruncating(bins - 1), out curve);
            Shares(bin.X, out state.X);
            Shares(bin.Y, out state.Y);
        }
        var (ofValue, ofLog) = (TLanes.Load(at[2]), TLanes.Load(at[3]));
        var zero = TLanes.Number(0);
        var within = ends == SplineEnds.Circular ? TLanes.Same(zero, zero) : SplineKernel<TLanes, T>.Within(input, search.Low, search.High);
        var ofTail = ofValue;
        if (ends == SplineEnds.Box)
        {
            // beyond the edge the value is that of the edge and the distance times the derivative there
            var derivative = curve.Derivative();
            if (inverse) derivative = TLanes.Number(1) / derivative;
            ofTail = ofValue * derivative;
            ofLog = TLanes.Select(within, ofLog, TLanes.MultiplyAdd(input - inside, ofTail, ofLog));
        }
        SplineBinGradients<TLanes, T>.Compute(curve, bin, ofValue, ofLog, inverse, out gradients);
        TLanes.Store(TLanes.Select(within, gradients.Input, ofTail), at[4]);
        if (ends == SplineEnds.Linear) gradients.Keep(within);
        var output = at[5];
        var outputStep = steps[5];
        var exponentials = recorded ? at[1] : search.Exponential(scratch, 0, 0);
        var step = recorded ? steps[1] : (nint)(search.Exponential(scratch, 0, 1) - exponentials);
        WriteSizes(exponentials, step, state.X, bin.Index, gradients.WidthBefore, gradients.WidthHere, gradients.WidthChange, output,
            outputStep);
        WriteSizes(exponentials + (bins * step), step, state.Y, bin.Index, gradients.HeightBefore, gradients.HeightHere,
            gradients.HeightChange, output + (bins * outputStep), outputStep);
        WriteDerivatives(bin.Index, gradients.Left, gradients.Right, output + (2 * bins * outputStep), outputStep);
    }

    /// <summary>The parts of the softmax before the bin, in it and after it, from sums that carry their rounding.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Shares(in SplineAxis<TLanes> axis, out SplineShares<TLanes> shares)
    {
        var part = TLanes.Number(1) / axis.Sum;
        (shares.First, shares.Own) = (axis.Before * part, axis.Own * part);
        shares.Last = TLanes.Max(TLanes.Number(0), (axis.Sum - axis.Before - axis.Own + (axis.SumRest - axis.BeforeRest)) * part);
        shares.Scale = axis.Scale;
    }

    /// <summary>
    /// The gradient through the softmax of sizes whose gradients are one number before a bin, another one in it and 0 after it.
    /// </summary>
    /// <param name="exponentials">The exponentials of the axis.</param>
    /// <param name="apart">From one to the next.</param>
    /// <param name="shares">The parts of the softmax.</param>
    /// <param name="index">The bin.</param>
    /// <param name="before">The gradient of each size before it.</param>
    /// <param name="here">The gradient of its size.</param>
    /// <param name="change">before − here, computed without their rounding.</param>
    /// <param name="output">The gradients of the weights.</param>
    /// <param name="step">From one to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void WriteSizes(T* exponentials, nint apart, in SplineShares<TLanes> shares, in TLanes index, in TLanes before,
        in TLanes here, in TLanes change, T* output, nint step)
    {
        var bin = index;
        // gₖ − Σ pⱼ gⱼ, by 1 = first + own + last without the cancellation
        var scale = shares.Scale;
        var ofFirst = scale * TLanes.MultiplyAdd(change, shares.Own, before * shares.Last);
        var ofOwn = scale * ((here * shares.Last) - (change * shares.First));
        var ofLast = -(scale * TLanes.MultiplyAdd(before, shares.First, here * shares.Own));
        var k = TLanes.Number(0);
        var one = TLanes.Number(1);
        var count = bins;
        for (var i = 0; i < count; i++, k += one, output += step, exponentials += apart)
        {
            var factor = TLanes.Select(TLanes.Above(bin, k), ofFirst, TLanes.Select(TLanes.Same(bin, k), ofOwn, ofLast));
            TLanes.Store(factor * TLanes.Load(exponentials), output);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void WriteDerivatives(in TLanes bin, in TLanes ofLeft, in TLanes ofRight, T* output, nint step)
    {
        var (index, left, right) = (bin, ofLeft, ofRight);
        var zero = TLanes.Number(0);
        for (var i = 0; i < derivatives; i++)
        {
            var knot = ends == SplineEnds.Linear ? i + 1 : i;
            var before = ends == SplineEnds.Circular && knot == 0 ? bins - 1 : knot - 1;
            // one bin on a circle has one knot on both sides
            var sum = TLanes.Select(TLanes.Same(index, TLanes.Number(knot)), left, zero)
                + TLanes.Select(TLanes.Same(index, TLanes.Number(before)), right, zero);
            TLanes.Store(sum, output + (i * step));
        }
    }
}
