using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace RealNvp.Kernels;

/// <summary>Fused passes over CPU memory. Tensors that it cannot read are updated by operations of tensors.</summary>
/// <remarks>512-bit vectors where the processor has none are pairs of smaller ones: the results are the same on every machine.
/// Compiled for speed at once: a short training would end before the runtime has found out that these are worth it.</remarks>
internal static unsafe class AdamKernel
{
    /// <summary>
    /// g' = scale g + λ p, m = β1 m + (1 - β1) g', v = β2 v + (1 - β2) g'², p = p - stepSize m / (sqrt(v) / rootCorrection2 + ε),
    /// and a = a + share (p - a) for the moving average a, for the elements from <paramref name="start"/> to before <paramref name="end"/>.
    /// </summary>
    /// <remarks>
    /// <para>The vector part and the rest do the same operations in the same order: an element's result does not depend on its
    /// place.</para>
    /// <para>A mean smaller than all normal numbers is set to 0. The gradient of a dead unit or a masked weight stays 0, and within 800
    /// steps its mean would be among the denormal numbers and stay there: a step over such weights takes more than twice as long.</para>
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Apply<T>(in AdamBlock block, int start, int end) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T* p = (T*)block.Parameter, g = (T*)block.Gradient, m = (T*)block.Average, v = (T*)block.Square, a = (T*)block.WeightAverage;
        ref readonly var step = ref block.Step;
        T scale = T.CreateChecked(step.GradientScale), decay = T.CreateChecked(step.WeightDecay), epsilon = T.CreateChecked(step.Epsilon);
        T beta1 = T.CreateChecked(step.Beta1), beta2 = T.CreateChecked(step.Beta2), share = T.CreateChecked(block.Share);
        T rest1 = T.CreateChecked(1 - step.Beta1), rest2 = T.CreateChecked(1 - step.Beta2);
        var least = T.CreateChecked(SmallestNormal.Of<T>());
        T size = T.CreateChecked(step.StepSize), correction = T.CreateChecked(1 / step.RootCorrection2);

        var i = start;
        Vector512<T> scales = Vector512.Create(scale), decays = Vector512.Create(decay), epsilons = Vector512.Create(epsilon);
        Vector512<T> sizes = Vector512.Create(size), corrections = Vector512.Create(correction), shares = Vector512.Create(share);
        Vector512<T> leasts = Vector512.Create(least), betas1 = Vector512.Create(beta1), betas2 = Vector512.Create(beta2);
        Vector512<T> rests1 = Vector512.Create(rest1), rests2 = Vector512.Create(rest2);
        for (; i <= end - Vector512<T>.Count; i += Vector512<T>.Count)
        {
            var weights = Vector512.Load(p + i);
            var gradients = Vector512.Load(g + i) * scales + weights * decays;
            var means = Vector512.Load(m + i) * betas1 + gradients * rests1;
            means = Vector512.AndNot(means, Vector512.LessThan(Vector512.Abs(means), leasts));
            var squares = Vector512.Load(v + i) * betas2 + gradients * gradients * rests2;
            means.Store(m + i);
            squares.Store(v + i);
            weights -= sizes * means / (Vector512.Sqrt(squares) * corrections + epsilons);
            weights.Store(p + i);
            if (a == null) continue;
            var old = Vector512.Load(a + i);
            (old + (weights - old) * shares).Store(a + i);
        }
        for (; i < end; i++)
        {
            var gradient = g[i] * scale + p[i] * decay;
            m[i] = m[i] * beta1 + gradient * rest1;
            if (T.Abs(m[i]) < least) m[i] = T.Zero;
            v[i] = v[i] * beta2 + gradient * gradient * rest2;
            p[i] -= size * m[i] / (T.Sqrt(v[i]) * correction + epsilon);
            if (a != null) a[i] += (p[i] - a[i]) * share;
        }
    }

    /// <summary>a = a + share (value - a)</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Average<T>(T* a, T* values, int count, double weight) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var share = T.CreateChecked(weight);
        var shares = Vector512.Create(share);
        var i = 0;
        for (; i <= count - Vector512<T>.Count; i += Vector512<T>.Count)
        {
            var old = Vector512.Load(a + i);
            (old + (Vector512.Load(values + i) - old) * shares).Store(a + i);
        }
        for (; i < count; i++) a[i] += (values[i] - a[i]) * share;
    }

    /// <summary>The sum of squares in float64, so that large float32 gradients do not overflow; NaN or ∞ where an element is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double SumOfSquares(float* values, int count)
    {
        Vector512<double> sum0 = default, sum1 = default;
        var i = 0;
        for (; i <= count - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            var (low, high) = Vector512.Widen(Vector512.Load(values + i));
            sum0 += low * low;
            sum1 += high * high;
        }
        var sum = Vector512.Sum(sum0 + sum1);
        for (; i < count; i++) sum += (double)values[i] * values[i];
        return sum;
    }

    /// <inheritdoc cref="SumOfSquares(float*, int)"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double SumOfSquares(double* values, int count)
    {
        Vector512<double> sum0 = default, sum1 = default;
        var i = 0;
        for (; i <= count - 2 * Vector512<double>.Count; i += 2 * Vector512<double>.Count)
        {
            Vector512<double> low = Vector512.Load(values + i), high = Vector512.Load(values + i + Vector512<double>.Count);
            sum0 += low * low;
            sum1 += high * high;
        }
        var sum = Vector512.Sum(sum0 + sum1);
        for (; i < count; i++) sum += values[i] * values[i];
        return sum;
    }
}
