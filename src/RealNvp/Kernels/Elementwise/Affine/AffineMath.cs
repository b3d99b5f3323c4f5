using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>The numbers of a form in the dtype of a kernel.</summary>
internal readonly struct AffineNumbers<T>(AffineForm form) where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public readonly bool Sigmoid = form.Sigmoid;
    public readonly T Before = T.CreateTruncating(form.Before), After = T.CreateTruncating(form.After),
        Direction = T.CreateTruncating(form.Direction);
}

/// <summary>The gradients of one vector of an affine map.</summary>
internal struct AffineGradients<TLanes>
{
    /// <summary>Those of x, of r, of t, and of a (0 if the form has none).</summary>
    public TLanes Input, Raw, Shift, Scale;
}

/// <summary>The functions of affine maps.</summary>
internal static class AffineMath<TLanes, T> where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>tanh, as exact near 0 as far from it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Tanh(TLanes x)
    {
        var one = TLanes.Number(1);
        var size = TLanes.Abs(x);
        if (typeof(T) == typeof(double))
        {
            // −tanh |x| of exp(−2|x|) − 1, which is exact near 0 too
            var e = LaneMath<TLanes, T>.ExpMinusOneOfNegative(-(size + size), out _);
            var negative = e / (TLanes.Number(2) + e);
            return TLanes.Select(TLanes.AtLeast(x, TLanes.Number(0)), -negative, negative);
        }
        var far = one - (TLanes.Number(2) / (LaneMath<TLanes, T>.Exp(size + size) + one));
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
        TLanes.Min(TLanes.Number(0), v) - LaneMath<TLanes, T>.LogOnePlus(LaneMath<TLanes, T>.ExpOfNegative(-TLanes.Abs(v)));

    /// <summary>a, limited to <see cref="AffineForm.MaxLogScale"/>; NaN stays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Limited(TLanes a) =>
        TLanes.Max(TLanes.Number(-AffineForm.MaxLogScale), TLanes.Min(TLanes.Number(AffineForm.MaxLogScale), a));

    /// <summary>y = (x + p·t)·exp(d·s) + q·t, and s.</summary>
    /// <param name="form">p, q and d.</param>
    /// <param name="sigmoid">How s is made of r; a constant, so that the compiler takes in only what one of both needs.</param>
    /// <param name="x">The input.</param>
    /// <param name="raw">r.</param>
    /// <param name="shift">t.</param>
    /// <param name="a">The scale of tanh, as it is learned; of no meaning with a sigmoid.</param>
    /// <param name="s">The result: log|dy/dx| is d·s.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Map(in AffineNumbers<T> form, bool sigmoid, TLanes x, TLanes raw, TLanes shift, TLanes a,
        out TLanes s)
    {
        s = sigmoid ? LogSigmoid(Logit(raw)) : Limited(a) * Tanh(raw);
        var scaled = TLanes.MultiplyAdd(TLanes.Create(form.Before), shift, x) * LaneMath<TLanes, T>.Exp(TLanes.Create(form.Direction) * s);
        return TLanes.MultiplyAdd(TLanes.Create(form.After), shift, scaled);
    }

    /// <summary>All gradients of y = (x + p·t)·exp(d·s) + q·t and of its log-derivative d·s.</summary>
    /// <param name="form">p, q and d.</param>
    /// <param name="sigmoid">How s is made of r; a constant, so that the compiler takes in only what one of both needs.</param>
    /// <param name="x">The input.</param>
    /// <param name="raw">r.</param>
    /// <param name="shift">t.</param>
    /// <param name="a">The scale of tanh, as it is learned; of no meaning with a sigmoid.</param>
    /// <param name="ofValue">The gradient of y.</param>
    /// <param name="ofLog">The gradient of the log-derivative.</param>
    /// <param name="found">The result.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Gradients(in AffineNumbers<T> form, bool sigmoid, TLanes x, TLanes raw, TLanes shift, TLanes a, TLanes ofValue,
        TLanes ofLog, out AffineGradients<TLanes> found)
    {
        TLanes one = TLanes.Number(1), direction = TLanes.Create(form.Direction), before = TLanes.Create(form.Before);
        var logit = sigmoid ? Logit(raw) : one;
        var tanh = sigmoid ? one : Tanh(raw);
        var limited = sigmoid ? one : Limited(a);
        var s = sigmoid ? LogSigmoid(logit) : limited * tanh;
        var ofInput = ofValue * LaneMath<TLanes, T>.Exp(direction * s);
        var ofScale = direction * TLanes.MultiplyAdd(ofInput, TLanes.MultiplyAdd(before, shift, x), ofLog);
        found.Input = ofInput;
        found.Shift = TLanes.MultiplyAdd(before, ofInput, TLanes.Create(form.After) * ofValue);
        // a scale beyond its limit acts as if it were at it, so nothing moves it
        found.Scale = sigmoid ? TLanes.Zero
            : TLanes.Select(TLanes.AtLeast(TLanes.Number(AffineForm.MaxLogScale), TLanes.Abs(a)), ofScale * tanh, TLanes.Zero);
        // of the sigmoid 1 − σ(v), and nothing below the least v
        found.Raw = sigmoid
            ? TLanes.Select(TLanes.Above(TLanes.Number(AffineForm.MinLogit), raw + TLanes.Number(2)), TLanes.Number(0),
                ofScale * (one / (one + LaneMath<TLanes, T>.Exp(logit))))
            : ofScale * limited * TLanes.MultiplyAdd(-tanh, tanh, one);
    }
}
