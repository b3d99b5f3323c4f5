using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>The gradients of one vector of an affine map.</summary>
internal struct AffineGradients<TLanes> where TLanes : struct, ILanes<TLanes, float>
{
    /// <summary>Those of x, of r, of t, and of a where the form has it.</summary>
    public TLanes Input, Raw, Shift, Scale;
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
    public static TLanes Logit(TLanes raw) => TLanes.Max(TLanes.Number(AffineForm.MinLogit), raw + TLanes.Number(2));

    /// <summary>log σ(v) = min(v, 0) − log(1 + exp(−|v|)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes LogSigmoid(TLanes v) =>
        TLanes.Min(TLanes.Number(0), v) - LaneMath<TLanes, float>.LogOnePlus(LaneMath<TLanes, float>.ExpOfNegative(-TLanes.Abs(v)));

    /// <summary>y = (x + p·t)·exp(d·s) + q·t, and s.</summary>
    /// <param name="form">p, q, d, and how s is made of r.</param>
    /// <param name="x">The input.</param>
    /// <param name="raw">r.</param>
    /// <param name="shift">t.</param>
    /// <param name="a">The scale of tanh; of no meaning with a sigmoid.</param>
    /// <param name="s">The result: log|dy/dx| is d·s.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Map(in AffineForm form, TLanes x, TLanes raw, TLanes shift, TLanes a, out TLanes s)
    {
        s = form.Sigmoid ? LogSigmoid(Logit(raw)) : a * Tanh(raw);
        var scaled = TLanes.MultiplyAdd(TLanes.Create(form.Before), shift, x) * LaneMath<TLanes, float>.Exp(TLanes.Create(form.Direction) * s);
        return TLanes.MultiplyAdd(TLanes.Create(form.After), shift, scaled);
    }

    /// <summary>All gradients of y = (x + p·t)·exp(d·s) + q·t and of its log-derivative d·s.</summary>
    /// <param name="form">p, q, d, and how s is made of r.</param>
    /// <param name="x">The input.</param>
    /// <param name="raw">r.</param>
    /// <param name="shift">t.</param>
    /// <param name="a">The scale of tanh; of no meaning with a sigmoid.</param>
    /// <param name="ofValue">The gradient of y.</param>
    /// <param name="ofLog">The gradient of the log-derivative.</param>
    /// <param name="found">The result.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Gradients(in AffineForm form, TLanes x, TLanes raw, TLanes shift, TLanes a, TLanes ofValue, TLanes ofLog, out AffineGradients<TLanes> found)
    {
        TLanes one = TLanes.Number(1), direction = TLanes.Create(form.Direction), before = TLanes.Create(form.Before);
        var logit = Logit(raw);
        var tanh = form.Sigmoid ? one : Tanh(raw);
        var s = form.Sigmoid ? LogSigmoid(logit) : a * tanh;
        var ofInput = ofValue * LaneMath<TLanes, float>.Exp(direction * s);
        var ofScale = direction * TLanes.MultiplyAdd(ofInput, TLanes.MultiplyAdd(before, shift, x), ofLog);
        found.Input = ofInput;
        found.Shift = TLanes.MultiplyAdd(before, ofInput, TLanes.Create(form.After) * ofValue);
        found.Scale = ofScale * tanh;
        // of the sigmoid 1 − σ(v), and nothing below the least v
        found.Raw = form.Sigmoid
            ? TLanes.Select(TLanes.Above(TLanes.Number(AffineForm.MinLogit), raw + TLanes.Number(2)), TLanes.Number(0), ofScale * (one / (one + LaneMath<TLanes, float>.Exp(logit))))
            : ofScale * a * TLanes.MultiplyAdd(-tanh, tanh, one);
    }
}
