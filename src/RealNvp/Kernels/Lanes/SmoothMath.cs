using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Smooth functions of lanes, their derivatives and second derivatives. NaN stays.</summary>
internal static unsafe class SmoothMath<TLanes, T>
    where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    // Klambauer et al., arXiv 1706.02515, equation 14
    private const double Alpha = 1.6732632423543772, Lambda = 1.0507009873554805;

    /// <summary>1/(1 + exp(-a)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Sigmoid(TLanes a)
    {
        var e = LaneMath<TLanes, T>.ExpOfNegative(-TLanes.Abs(a));
        var part = TLanes.Number(1) / (TLanes.Number(1) + e);
        return TLanes.Select(TLanes.AtLeast(a, TLanes.Zero), part, e * part);
    }

    /// <summary>The value f(a) and the derivative f′(a) of <paramref name="count"/> vectors; values may take the place of a.</summary>
    public static void Apply(SmoothFunction function, T* a, nint count, T* value, T* slope)
    {
        switch (function)
        {
            case SmoothFunction.Tanh: Tanh(a, count, value, slope); break;
            case SmoothFunction.Softplus: Softplus(a, count, value, slope); break;
            case SmoothFunction.Silu: Silu(a, count, value, slope); break;
            case SmoothFunction.Elu: Elu(a, count, value, slope, 1, 1); break;
            default: Elu(a, count, value, slope, Lambda, Alpha); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tanh(T* a, nint count, T* value, T* slope)
    {
        for (var i = (nint)0; i < count * TLanes.Count; i += TLanes.Count)
        {
            var x = TLanes.Load(a + i);
            var below = LaneMath<TLanes, T>.ExpMinusOneOfNegative(TLanes.Number(-2) * TLanes.Abs(x), out _);
            var y = below / (TLanes.Number(2) + below);
            y = TLanes.Select(TLanes.AtLeast(x, TLanes.Zero), -y, y);
            TLanes.Store(TLanes.MultiplyAdd(-y, y, TLanes.Number(1)), slope + i);
            TLanes.Store(y, value + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Softplus(T* a, nint count, T* value, T* slope)
    {
        for (var i = (nint)0; i < count * TLanes.Count; i += TLanes.Count)
        {
            var x = TLanes.Load(a + i);
            var e = LaneMath<TLanes, T>.ExpOfNegative(-TLanes.Abs(x));
            var part = TLanes.Number(1) / (TLanes.Number(1) + e);
            TLanes.Store(TLanes.Select(TLanes.AtLeast(x, TLanes.Zero), part, e * part), slope + i);
            TLanes.Store(TLanes.Max(TLanes.Zero, x) + LaneMath<TLanes, T>.LogOnePlus(e), value + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Silu(T* a, nint count, T* value, T* slope)
    {
        for (var i = (nint)0; i < count * TLanes.Count; i += TLanes.Count)
        {
            var x = TLanes.Load(a + i);
            var gate = Sigmoid(x);
            var product = x * gate;
            // σ + aσ(1 − σ)
            TLanes.Store(TLanes.MultiplyAdd(product, TLanes.Number(1) - gate, gate), slope + i);
            TLanes.Store(product, value + i);
        }
    }

    // λ a above 0, λ α (exp(a) − 1) below
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Elu(T* a, nint count, T* value, T* slope, double lambda, double alpha)
    {
        TLanes above = TLanes.Number(lambda), below = TLanes.Number(lambda * alpha);
        for (var i = (nint)0; i < count * TLanes.Count; i += TLanes.Count)
        {
            var x = TLanes.Load(a + i);
            var part = below * LaneMath<TLanes, T>.ExpMinusOneOfNegative(TLanes.Min(TLanes.Zero, x), out _);
            TLanes.Store(TLanes.Select(TLanes.Above(x, TLanes.Zero), above, part + below), slope + i);
            TLanes.Store(TLanes.MultiplyAdd(above, TLanes.Max(TLanes.Zero, x), part), value + i);
        }
    }

    /// <summary>f″(a) of <paramref name="count"/> vectors, from a, f(a) and f′(a).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Bend(SmoothFunction function, T* a, T* value, T* slope, nint count, T* bend)
    {
        for (var i = (nint)0; i < count * TLanes.Count; i += TLanes.Count)
        {
            TLanes x = TLanes.Load(a + i), y = TLanes.Load(value + i), d = TLanes.Load(slope + i);
            TLanes result;
            switch (function)
            {
                case SmoothFunction.Tanh: result = TLanes.Number(-2) * y * d; break;
                case SmoothFunction.Softplus: result = d * (TLanes.Number(1) - d); break;
                case SmoothFunction.Silu:
                    var gate = Sigmoid(x);
                    var rest = TLanes.Number(1) - gate;
                    // σ(1 − σ)(2 + a(1 − 2σ))
                    result = gate * rest * TLanes.MultiplyAdd(x, rest - gate, TLanes.Number(2));
                    break;
                // below 0 the exponential is its own derivative
                default: result = TLanes.Select(TLanes.Above(x, TLanes.Zero), TLanes.Zero, d); break;
            }
            TLanes.Store(result, bend + i);
        }
    }
}
