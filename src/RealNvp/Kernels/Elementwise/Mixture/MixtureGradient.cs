using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>
/// The gradients of a vector of elements in one pass. Streams: x, parameters, gradient of the value, gradient of the log-derivative;
/// gradient of the input, gradients of the parameters.
/// </summary>
/// <remarks>
/// <para>With L = logit F, D = dL/dx and the share R of a component in the density: ∂L/∂μ = −D R, ∂ log D/∂μ = −R (D tanh(L/2)
/// − tanh(u/2)/s), and −x moves with all means at once. log s moves like (x − μ) times μ, and takes R from log D.</para>
/// <para>The inverse map has the gradient of the implicit function: that of the forward map at the root, for the upstream gradients
/// −λ and −g' with λ = (g − g' ∂ log D/∂x)/y'.</para>
/// </remarks>
internal readonly unsafe struct MixtureGradient<TLanes, T>(int components, bool inverse) : IElementKernel<T>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly MixtureCurve<TLanes, T> curve = new(components);

    /// <inheritdoc/>
    public int Scratch => curve.Scratch;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(T** at, nint* steps, T* scratch)
    {
        Unsafe.SkipInit(out MixturePoint<TLanes> point);
        Unsafe.SkipInit(out Upstream upstream);
        var x = TLanes.Load(at[0]);
        var step = steps[1];
        curve.Prepare(at[1], step, scratch, ref point);
        curve.Run(x, at[1], step, scratch, ref point);
        MixtureCurve<TLanes, T>.Bounded(TLanes.Load(at[1] + (3 * components * step)), MixtureLimits.MaxLogScale, out var logScale,
            out var rate);
        Begin(point, TLanes.Load(at[2]), TLanes.Load(at[3]), logScale, scratch, ref upstream);
        Write(x, at[1] + (components * step), step, scratch, point, ref upstream, at[5], steps[5]);
        Finish(point, rate, upstream, at[4], at[5] + (3 * components * steps[5]), steps[5]);
    }

    /// <summary>The upstream gradients.</summary>
    private struct Upstream
    {
        /// <summary>Of y, of L, and of log D; of L times D.</summary>
        public TLanes Value, Logit, Log, Density;

        /// <summary>D tanh(L/2), and the parts F and 1 − F that are below and above.</summary>
        public TLanes Bend, Below, Above;

        /// <summary>The gradient of x, or that of y for the inverse.</summary>
        public TLanes Input;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Begin(in MixturePoint<TLanes> point, TLanes ofValue, TLanes ofLog, in TLanes logScale, T* scratch, ref Upstream upstream)
    {
        var right = TLanes.AtLeast(point.Logit, TLanes.Number(0));
        (upstream.Below, upstream.Above) = (TLanes.Select(right, point.Most, point.Least), TLanes.Select(right, point.Least, point.Most));
        var derivative = LaneMath<TLanes, T>.Exp(point.LargestDensity) * point.Derivative;
        // written as for components, so that nothing is left where one is all
        var bend = (point.Most + point.Most - TLanes.Number(1)) * derivative;
        upstream.Bend = TLanes.Select(right, bend, -bend);
        upstream.Log = ofLog;
        if (inverse) Turn(point, ofValue, ofLog, logScale, scratch, ref upstream);
        else
        {
            upstream.Value = ofValue;
            upstream.Logit = ofValue * LaneMath<TLanes, T>.Exp(logScale);
            upstream.Density = upstream.Logit * derivative;
        }
    }

    /// <summary>The upstream gradients of the forward map that give those of the inverse.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Turn(in MixturePoint<TLanes> point, in TLanes ofValue, in TLanes ofLog, in TLanes logScale, T* component,
        ref Upstream upstream)
    {
        var sum = TLanes.Number(0);
        for (var k = 0; k < components; k++, component += MixtureCurve<TLanes, T>.Stride)
            sum = TLanes.MultiplyAdd(TLanes.Load(MixtureCurve<TLanes, T>.At(component, MixtureCurve<TLanes, T>.Density)), Bend(component),
                sum);
        upstream.Density = -TLanes.MultiplyAdd(-ofLog, upstream.Bend - (sum / point.SumDensity), ofValue);
        upstream.Logit = upstream.Density * LaneMath<TLanes, T>.Exp(-point.LogDerivative);
        upstream.Value = upstream.Logit * LaneMath<TLanes, T>.Exp(-logScale);
        upstream.Log = -ofLog;
    }

    /// <summary>tanh(u/2)/s.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes Bend(T* component)
    {
        var sure = TLanes.Load(MixtureCurve<TLanes, T>.At(component, MixtureCurve<TLanes, T>.Sure));
        var size = (sure + sure - TLanes.Number(1))
            * TLanes.Load(MixtureCurve<TLanes, T>.At(component, MixtureCurve<TLanes, T>.InverseSize));
        return TLanes.Select(TLanes.AtLeast(TLanes.Load(MixtureCurve<TLanes, T>.At(component, MixtureCurve<TLanes, T>.Place)),
            TLanes.Number(0)), size, -size);
    }

    /// <summary>The gradients of the numbers of components.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Write(in TLanes place, T* mean, nint step, T* component, in MixturePoint<TLanes> point, ref Upstream upstream, T* output,
        nint outputStep)
    {
        var one = TLanes.Number(1);
        var (x, scaleBelow, scaleAbove, scaleDensity) = (place, one / point.SumBelow, one / point.SumAbove, one / point.SumDensity);
        var (ofLogit, ofLog, ofDensity, bend, partBelow, partAbove) = (upstream.Logit, upstream.Log, upstream.Density, upstream.Bend,
            upstream.Below, upstream.Above);
        var sum = TLanes.Number(0);
        var rest = sum;
        var meanOutput = output + (components * outputStep);
        var sizeOutput = meanOutput + (components * outputStep);
        for (var k = 0; k < components; k++, mean += step, component += MixtureCurve<TLanes, T>.Stride, output += outputStep,
            meanOutput += outputStep, sizeOutput += outputStep)
        {
            var share = TLanes.Load(MixtureCurve<TLanes, T>.At(component, MixtureCurve<TLanes, T>.Density)) * scaleDensity;
            var below = TLanes.Load(MixtureCurve<TLanes, T>.At(component, MixtureCurve<TLanes, T>.Below)) * scaleBelow;
            var above = TLanes.Load(MixtureCurve<TLanes, T>.At(component, MixtureCurve<TLanes, T>.Above)) * scaleAbove;
            TLanes.Store(TLanes.MultiplyAdd(ofLogit, below - above, ofLog * (share - (partAbove * below) - (partBelow * above))), output);
            var ofX = share * TLanes.MultiplyAdd(ofLog, bend - Bend(component), ofDensity);
            MixtureCurve<TLanes, T>.Add(ref sum, ofX, ref rest);
            TLanes.Store(-ofX, meanOutput);
            // −log s, through 7 tanh(r/7)
            var ofSize = TLanes.MultiplyAdd(x - TLanes.Load(mean), ofX, ofLog * share);
            TLanes.Store(-ofSize * TLanes.Load(MixtureCurve<TLanes, T>.At(component, MixtureCurve<TLanes, T>.SizeRate)), sizeOutput);
        }
        upstream.Input = inverse ? -upstream.Value : sum + rest;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Finish(in MixturePoint<TLanes> point, in TLanes rate, in Upstream upstream, T* input, T* output, nint step)
    {
        TLanes.Store(upstream.Input, input);
        TLanes.Store(TLanes.MultiplyAdd(upstream.Logit, point.Logit, upstream.Log) * rate, output);
        TLanes.Store(upstream.Value, output + step);
    }
}
