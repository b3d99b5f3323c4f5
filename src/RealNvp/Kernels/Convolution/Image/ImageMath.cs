using System.Runtime.Intrinsics;

namespace RealNvp.Kernels;

/// <summary>Loops over blocks of float32. Without 512-bit vectors they are pairs of smaller ones, with the same results.</summary>
internal static unsafe class ImageMath
{
    /// <summary>Σ a·b.</summary>
    public static float Dot(float* a, float* b, int count)
    {
        var (sum, i) = (Vector512<float>.Zero, 0);
        for (; i <= count - 16; i += 16) sum = Vector512.FusedMultiplyAdd(Vector512.Load(a + i), Vector512.Load(b + i), sum);
        var total = Vector512.Sum(sum);
        for (; i < count; i++) total += a[i] * b[i];
        return total;
    }

    /// <summary>b = p·a; both may be the same.</summary>
    public static void Scale(float* a, float* b, int count, float p)
    {
        var (ps, i) = (Vector512.Create(p), 0);
        for (; i <= count - 16; i += 16) (Vector512.Load(a + i) * ps).Store(b + i);
        for (; i < count; i++) b[i] = a[i] * p;
    }

    /// <summary>a = p·a + q·b.</summary>
    public static void Combine(float* a, float* b, int count, float p, float q)
    {
        var (ps, qs, i) = (Vector512.Create(p), Vector512.Create(q), 0);
        for (; i <= count - 16; i += 16) Vector512.FusedMultiplyAdd(Vector512.Load(a + i), ps, Vector512.Load(b + i) * qs).Store(a + i);
        for (; i < count; i++) a[i] = MathF.FusedMultiplyAdd(a[i], p, b[i] * q);
    }
}
