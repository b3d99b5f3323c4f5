using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace RealNvp.Kernels;

/// <summary>The arithmetic of affine maps on a block of elements, whose size is rounded up to whole vectors.</summary>
internal static unsafe class AffineBlock
{
    /// <summary>Elements of a block.</summary>
    public const int Size = 256;

    private const float Least = (float)SigmoidAffineTransformer.MinLogit;

    /// <summary>Writes y to x's place, and returns Σ s of the first <paramref name="count"/> elements.</summary>
    public static float Forward(in AffineForm form, float* x, float* r, float* t, float* a, int count)
    {
        var (before, after, direction) = (Vector512.Create(form.Before), Vector512.Create(form.After), Vector512.Create(form.Direction));
        var sum = Vector512<float>.Zero;
        for (var i = 0; i < count; i += 16)
        {
            var (s, _) = LogScale(form.Sigmoid, Vector512.Load(r + i), a, i);
            var shift = Vector512.Load(t + i);
            var scaled = Vector512.FusedMultiplyAdd(before, shift, Vector512.Load(x + i)) * Exp(direction * s);
            Vector512.FusedMultiplyAdd(after, shift, scaled).Store(x + i);
            sum += count - i >= 16 ? s : s & First(count - i);
        }
        return Vector512.Sum(sum);
    }

    /// <summary>From x, r, t and gradients of y and of the log-det: writes those of x, r and t in their places, and those of a in a's.</summary>
    public static void Backward(in AffineForm form, float* x, float* r, float* t, float* a, float* gy, float gl, int count)
    {
        var (before, after, direction) = (Vector512.Create(form.Before), Vector512.Create(form.After), Vector512.Create(form.Direction));
        var logDet = Vector512.Create(gl);
        for (var i = 0; i < count; i += 16)
        {
            var raw = Vector512.Load(r + i);
            var (s, tanh) = LogScale(form.Sigmoid, raw, a, i);
            var scale = Exp(direction * s);
            var g = Vector512.Load(gy + i);
            var gx = g * scale;
            var gs = direction * Vector512.FusedMultiplyAdd(gx, Vector512.FusedMultiplyAdd(before, Vector512.Load(t + i), Vector512.Load(x + i)), logDet);
            gx.Store(x + i);
            Vector512.FusedMultiplyAdd(before, gx, after * g).Store(t + i);
            if (form.Sigmoid)
            {
                var v = raw + Vector512.Create(2f);
                // 1 − σ(v)
                var slope = Vector512<float>.One / (Vector512<float>.One + Exp(v));
                (gs * slope & ~Vector512.LessThan(v, Vector512.Create(Least))).Store(r + i);
                continue;
            }
            (gs * Vector512.Load(a + i) * Vector512.FusedMultiplyAdd(-tanh, tanh, Vector512<float>.One)).Store(r + i);
            (gs * tanh).Store(a + i);
        }
    }

    /// <summary>tanh, as exact near 0 as far from it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Tanh(Vector512<float> x)
    {
        var size = Vector512.Abs(x);
        var far = Vector512<float>.One - (Vector512.Create(2f) / (Exp(size + size) + Vector512<float>.One));
        far = Vector512.CopySign(far, x);
        // Cephes' polynomial for |x| < 0.625
        var z = x * x;
        var p = Vector512.FusedMultiplyAdd(z, Vector512.Create(-5.70498872745e-3f), Vector512.Create(2.06390887954e-2f));
        p = Vector512.FusedMultiplyAdd(p, z, Vector512.Create(-5.37397155531e-2f));
        p = Vector512.FusedMultiplyAdd(p, z, Vector512.Create(1.33314422036e-1f));
        p = Vector512.FusedMultiplyAdd(p, z, Vector512.Create(-3.33332819422e-1f));
        var near = Vector512.FusedMultiplyAdd(p * z, x, x);
        return Vector512.ConditionalSelect(Vector512.LessThan(size, Vector512.Create(0.625f)), near, far);
    }

    // exactly 1 at 0, which .NET's own is not: a map whose parameters are 0 is the identity
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Exp(Vector512<float> x) => Vector(LaneMath<Lanes512<float>, float>.Exp(Lanes(x)));

    /// <summary>log(1 + u) for u in [0, 1].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> LogOnePlus(Vector512<float> u) => Vector(LaneMath<Lanes512<float>, float>.LogOnePlus(Lanes(u)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes512<float> Lanes(Vector512<float> x) => Unsafe.BitCast<Vector512<float>, Lanes512<float>>(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Vector(Lanes512<float> x) => Unsafe.BitCast<Lanes512<float>, Vector512<float>>(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<float> S, Vector512<float> Tanh) LogScale(bool sigmoid, Vector512<float> r, float* a, int i)
    {
        if (!sigmoid)
        {
            var tanh = Tanh(r);
            return (Vector512.Load(a + i) * tanh, tanh);
        }
        // log σ(v) = min(v, 0) − log(1 + exp(−|v|)); a NaN is neither smaller nor larger, and stays
        var v = r + Vector512.Create(2f);
        v = Vector512.ConditionalSelect(Vector512.LessThan(v, Vector512.Create(Least)), Vector512.Create(Least), v);
        var low = Vector512.ConditionalSelect(Vector512.GreaterThan(v, Vector512<float>.Zero), Vector512<float>.Zero, v);
        return (low - LogOnePlus(Exp(-Vector512.Abs(v))), default);
    }

    private static Vector512<float> First(int count) =>
        Vector512.LessThan(Vector512.Create(0f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), Vector512.Create((float)count));
}
