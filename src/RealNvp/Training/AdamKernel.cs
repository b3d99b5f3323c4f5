using System.Numerics;
using System.Runtime.InteropServices;

namespace RealNvp;

/// <summary>The numbers of one Adam step for one parameter.</summary>
internal readonly record struct AdamStep(
    double Beta1, double Beta2, double Epsilon, double WeightDecay, double GradientScale, double StepSize, double RootCorrection2);

/// <summary>Fused passes over CPU memory. The plain-tensor twin of <see cref="Apply"/> is in <see cref="AdamSlot"/>.</summary>
internal static class AdamKernel
{
    /// <summary>
    /// g' = scale g + λ p, m = β1 m + (1 - β1) g', v = β2 v + (1 - β2) g'², p = p - stepSize m / (sqrt(v) / rootCorrection2 + ε).
    /// </summary>
    /// <remarks>The vector part and the rest do the same operations in the same order: an element's result does not depend on its place.</remarks>
    public static void Apply<T>(Span<byte> parameter, ReadOnlySpan<byte> gradient, Span<byte> average, Span<byte> square, in AdamStep step)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Span<T> p = MemoryMarshal.Cast<byte, T>(parameter), m = MemoryMarshal.Cast<byte, T>(average), v = MemoryMarshal.Cast<byte, T>(square);
        var g = MemoryMarshal.Cast<byte, T>(gradient);
        if (g.Length != p.Length || m.Length != p.Length || v.Length != p.Length)
            throw new InvalidOperationException($"Sizes differ: parameter {p.Length}, gradient {g.Length}, state {m.Length} and {v.Length} elements.");

        T scale = T.CreateChecked(step.GradientScale), decay = T.CreateChecked(step.WeightDecay), epsilon = T.CreateChecked(step.Epsilon);
        T beta1 = T.CreateChecked(step.Beta1), beta2 = T.CreateChecked(step.Beta2);
        T rest1 = T.CreateChecked(1 - step.Beta1), rest2 = T.CreateChecked(1 - step.Beta2);
        T size = T.CreateChecked(step.StepSize), correction = T.CreateChecked(1 / step.RootCorrection2);

        var i = 0;
        ref T p0 = ref MemoryMarshal.GetReference(p), m0 = ref MemoryMarshal.GetReference(m), v0 = ref MemoryMarshal.GetReference(v);
        ref readonly T g0 = ref MemoryMarshal.GetReference(g);
        Vector<T> scales = new(scale), decays = new(decay), epsilons = new(epsilon), sizes = new(size), corrections = new(correction);
        Vector<T> betas1 = new(beta1), betas2 = new(beta2), rests1 = new(rest1), rests2 = new(rest2);
        for (; i <= p.Length - Vector<T>.Count; i += Vector<T>.Count)
        {
            var weights = Vector.LoadUnsafe(ref p0, (nuint)i);
            var slopes = Vector.LoadUnsafe(in g0, (nuint)i) * scales + weights * decays;
            var means = Vector.LoadUnsafe(ref m0, (nuint)i) * betas1 + slopes * rests1;
            var squares = Vector.LoadUnsafe(ref v0, (nuint)i) * betas2 + slopes * slopes * rests2;
            means.StoreUnsafe(ref m0, (nuint)i);
            squares.StoreUnsafe(ref v0, (nuint)i);
            (weights - sizes * means / (Vector.SquareRoot(squares) * corrections + epsilons)).StoreUnsafe(ref p0, (nuint)i);
        }
        for (; i < p.Length; i++)
        {
            var slope = g[i] * scale + p[i] * decay;
            m[i] = m[i] * beta1 + slope * rest1;
            v[i] = v[i] * beta2 + slope * slope * rest2;
            p[i] -= size * m[i] / (T.Sqrt(v[i]) * correction + epsilon);
        }
    }

    /// <summary>The sum of squares in float64, so that large float32 gradients do not overflow; NaN or ∞ where an element is.</summary>
    public static double SumOfSquares(ReadOnlySpan<float> values)
    {
        Vector<double> sum0 = default, sum1 = default;
        var i = 0;
        ref readonly var first = ref MemoryMarshal.GetReference(values);
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Widen(Vector.LoadUnsafe(in first, (nuint)i), out var low, out var high);
            sum0 += low * low;
            sum1 += high * high;
        }
        var sum = Vector.Sum(sum0 + sum1);
        for (; i < values.Length; i++) sum += (double)values[i] * values[i];
        return sum;
    }

    /// <inheritdoc cref="SumOfSquares(ReadOnlySpan{float})"/>
    public static double SumOfSquares(ReadOnlySpan<double> values)
    {
        Vector<double> sum0 = default, sum1 = default;
        var i = 0;
        ref readonly var first = ref MemoryMarshal.GetReference(values);
        for (; i <= values.Length - 2 * Vector<double>.Count; i += 2 * Vector<double>.Count)
        {
            var low = Vector.LoadUnsafe(in first, (nuint)i);
            var high = Vector.LoadUnsafe(in first, (nuint)(i + Vector<double>.Count));
            sum0 += low * low;
            sum1 += high * high;
        }
        var sum = Vector.Sum(sum0 + sum1);
        for (; i < values.Length; i++) sum += values[i] * values[i];
        return sum;
    }
}
