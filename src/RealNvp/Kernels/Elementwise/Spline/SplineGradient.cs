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
internal readonly unsafe struct SplineGradient<TLanes, T>(SplineShape shape, bool inverse) : IElementKernel<T>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly SplineSearch<TLanes, T> search = new(shape);
    private readonly int bins = shape.Bins, derivatives = shape.Derivatives;
    private readonly SplineEnds ends = shape.Ends;

    /// <inheritdoc/>
    public int Scratch => search.Scratch;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(T** at, nint* steps, T* scratch)
    {
        var input = TLanes.Load(at[0]);
        var inside = SplineKernel<TLanes, T>.Inside(input, at[0], search.Low, search.High, ends, scratch);
        search.Run(inside, inverse, at[1], steps[1], scratch, out var bin);
        SplineCurve<TLanes, T>.Locate(inside, inverse, bin, search, ends == SplineEnds.Linear, T.CreateTruncating(bins - 1), out var curve);
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
        SplineBinGradients<TLanes, T>.Compute(curve, bin, ofValue, ofLog, inverse, out var gradients);
        TLanes.Store(TLanes.Select(within, gradients.Input, ofTail), at[4]);
        if (ends == SplineEnds.Linear) gradients.Keep(within);
        var output = at[5];
        var outputStep = steps[5];
        WriteSizes(scratch, 0, bin.X, bin.Index, gradients.WidthBefore, gradients.WidthHere, gradients.WidthChange, output, outputStep);
        WriteSizes(scratch, 1, bin.Y, bin.Index, gradients.HeightBefore, gradients.HeightHere, gradients.HeightChange,
            output + (bins * outputStep), outputStep);
        WriteDerivatives(bin.Index, gradients.Left, gradients.Right, output + (2 * bins * outputStep), outputStep);
    }

    /// <summary>
    /// The gradient through the softmax of sizes whose gradients are one number before a bin, another one in it and 0 after it.
    /// </summary>
    /// <param name="scratch">The memory of the search.</param>
    /// <param name="number">0 for widths, 1 for heights.</param>
    /// <param name="axis">The axis.</param>
    /// <param name="index">The bin.</param>
    /// <param name="before">The gradient of each size before it.</param>
    /// <param name="here">The gradient of its size.</param>
    /// <param name="change">before − here, computed without their rounding.</param>
    /// <param name="output">The gradients of the weights.</param>
    /// <param name="step">From one to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void WriteSizes(T* scratch, int number, in SplineAxis<TLanes> axis, TLanes index, TLanes before, TLanes here, TLanes change,
        T* output, nint step)
    {
        // the parts of the softmax before the bin, in it and after it
        var part = TLanes.Number(1) / axis.Sum;
        var (first, own) = (axis.Before * part, axis.Own * part);
        var last = TLanes.Max(TLanes.Number(0), (axis.Sum - axis.Before - axis.Own + (axis.SumRest - axis.BeforeRest)) * part);
        var scale = axis.Scale;
        // gₖ − Σ pⱼ gⱼ, by 1 = first + own + last without the cancellation
        var ofFirst = scale * TLanes.MultiplyAdd(change, own, before * last);
        var ofOwn = scale * ((here * last) - (change * first));
        var ofLast = -(scale * TLanes.MultiplyAdd(before, first, here * own));
        var k = TLanes.Number(0);
        var one = TLanes.Number(1);
        for (var i = 0; i < bins; i++, k += one, output += step)
        {
            var factor = TLanes.Select(TLanes.Above(index, k), ofFirst, TLanes.Select(TLanes.Same(index, k), ofOwn, ofLast));
            TLanes.Store(factor * TLanes.Load(search.Exponential(scratch, number, i)), output);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void WriteDerivatives(TLanes index, TLanes left, TLanes right, T* output, nint step)
    {
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
