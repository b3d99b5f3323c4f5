using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>
/// An affine map of a vector of elements. Streams: input, parameters (raw scales, shifts), a where the form has it; value, log-derivative.
/// </summary>
internal readonly unsafe struct AffineElement<TLanes>(AffineForm form) : IElementKernel<float> where TLanes : struct, ILanes<TLanes, float>
{
    /// <inheritdoc/>
    public int Scratch => 0;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(float** at, nint* steps, float* scratch)
    {
        var raw = TLanes.Load(at[1]);
        var shift = TLanes.Load(at[1] + steps[1]);
        TLanes s;
        var output = 2;
        if (form.Sigmoid) s = AffineMath<TLanes>.LogSigmoid(AffineMath<TLanes>.Logit(raw));
        else s = TLanes.Load(at[output++]) * AffineMath<TLanes>.Tanh(raw);
        s *= TLanes.Create(form.Direction);
        var scaled = TLanes.MultiplyAdd(TLanes.Create(form.Before), shift, TLanes.Load(at[0])) * LaneMath<TLanes, float>.Exp(s);
        TLanes.Store(TLanes.MultiplyAdd(TLanes.Create(form.After), shift, scaled), at[output]);
        TLanes.Store(s, at[output + 1]);
    }
}

/// <summary>
/// The gradients of an affine map. Streams: input, parameters, a where the form has it, gradients of value and of log-derivative; gradients of
/// input and of parameters, and of a where the form has it.
/// </summary>
internal readonly unsafe struct AffineElementGradient<TLanes>(AffineForm form) : IElementKernel<float> where TLanes : struct, ILanes<TLanes, float>
{
    /// <inheritdoc/>
    public int Scratch => 0;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(float** at, nint* steps, float* scratch)
    {
        var next = form.Sigmoid ? 2 : 3;
        var raw = TLanes.Load(at[1]);
        var shift = TLanes.Load(at[1] + steps[1]);
        TLanes one = TLanes.Number(1), direction = TLanes.Create(form.Direction), before = TLanes.Create(form.Before);
        var logit = AffineMath<TLanes>.Logit(raw);
        var tanh = form.Sigmoid ? one : AffineMath<TLanes>.Tanh(raw);
        var a = form.Sigmoid ? one : TLanes.Load(at[2]);
        var s = form.Sigmoid ? AffineMath<TLanes>.LogSigmoid(logit) : a * tanh;
        var g = TLanes.Load(at[next]);
        var ofInput = g * LaneMath<TLanes, float>.Exp(direction * s);
        var ofScale = direction * TLanes.MultiplyAdd(ofInput, TLanes.MultiplyAdd(before, shift, TLanes.Load(at[0])), TLanes.Load(at[next + 1]));
        TLanes ofRaw;
        if (form.Sigmoid)
        {
            // 1 − σ(v), and nothing below the least v
            var slope = one / (one + LaneMath<TLanes, float>.Exp(logit));
            ofRaw = TLanes.Select(TLanes.Above(TLanes.Number(SigmoidAffineTransformer.MinLogit), raw + TLanes.Number(2)), TLanes.Number(0), ofScale * slope);
        }
        else
        {
            ofRaw = ofScale * a * TLanes.MultiplyAdd(-tanh, tanh, one);
            TLanes.Store(ofScale * tanh, at[next + 4]);
        }
        TLanes.Store(ofInput, at[next + 2]);
        TLanes.Store(ofRaw, at[next + 3]);
        TLanes.Store(TLanes.MultiplyAdd(before, ofInput, TLanes.Create(form.After) * g), at[next + 3] + steps[next + 3]);
    }
}

/// <summary>The functions of affine maps.</summary>
internal static class AffineMath<TLanes> where TLanes : struct, ILanes<TLanes, float>
{
    /// <summary>tanh, as exact near 0 as far from it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Tanh(TLanes x)
    {
        var one = TLanes.Number(1);
        var size = TLanes.Abs(x);
        var far = one - (TLanes.Number(2) / (LaneMath<TLanes, float>.Exp(size + size) + one));
        far = TLanes.Select(TLanes.AtLeast(x, TLanes.Number(0)), far, -far);
        // Cephes' polynomial for |x| < 0.625
        var z = x * x;
        var p = TLanes.MultiplyAdd(z, TLanes.Number(-5.70498872745e-3), TLanes.Number(2.06390887954e-2));
        p = TLanes.MultiplyAdd(p, z, TLanes.Number(-5.37397155531e-2));
        p = TLanes.MultiplyAdd(p, z, TLanes.Number(1.33314422036e-1));
        p = TLanes.MultiplyAdd(p, z, TLanes.Number(-3.33332819422e-1));
        return TLanes.Select(TLanes.Above(TLanes.Number(0.625), size), TLanes.MultiplyAdd(p * z, x, x), far);
    }

    /// <summary>r + 2, and not below the least; NaN stays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Logit(TLanes raw) => TLanes.Max(TLanes.Number(SigmoidAffineTransformer.MinLogit), raw + TLanes.Number(2));

    /// <summary>log σ(v) = min(v, 0) − log(1 + exp(−|v|)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes LogSigmoid(TLanes v) =>
        TLanes.Min(TLanes.Number(0), v) - LaneMath<TLanes, float>.LogOnePlus(LaneMath<TLanes, float>.ExpOfNegative(-TLanes.Abs(v)));
}
