using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Kernels;

internal static unsafe class InputLimit
{
    public static readonly int Kind = int.Parse(Environment.GetEnvironmentVariable("LIMIT_KIND") ?? "1");

    public static Tensor Of(Tensor x, double? limit)
    {
        if (limit is not { } c) return x;
        switch (Kind)
        {
            case 0: return x.clamp(Scalars.Of(-c), Scalars.Of(c));
            case 1: { var u = x.mul(Scalars.Of(1 / c)).clamp(Scalars.Of(-1e4), Scalars.Of(1e4)); return u.mul(u).add(Scalars.One).rsqrt().mul(u).mul(Scalars.Of(c)); }
            default: { var u = x.mul(Scalars.Of(1 / c)).clamp(Scalars.Of(-1e15), Scalars.Of(1e15)); return u.asinh().mul(Scalars.Of(c)); }
        }
    }

    public static float Of(float x, float c)
    {
        switch (Kind)
        {
            case 0: return Math.Clamp(x, -c, c);
            case 1: { var u = Math.Clamp(x / c, -1e4f, 1e4f); return u / MathF.Sqrt(1 + (u * u)) * c; }
            default: { var u = Math.Clamp(x / c, -1e15f, 1e15f); return MathF.Asinh(u) * c; }
        }
    }

    public static float Slope(float x, float c)
    {
        switch (Kind)
        {
            case 0: return Math.Abs(x) <= c ? 1 : 0;
            case 1: { var u = Math.Clamp(x / c, -1e4f, 1e4f); var q = 1 + (u * u); return 1 / (q * MathF.Sqrt(q)); }
            default: { var u = Math.Clamp(x / c, -1e15f, 1e15f); return 1 / MathF.Sqrt(1 + (u * u)); }
        }
    }

    public static void Apply(float* x, long count, float c)
    {
        for (var i = 0L; i < count; i++) x[i] = Of(x[i], c);
    }

    public static void Slopes(float* x, float* to, long count, float c)
    {
        for (var i = 0L; i < count; i++) to[i] = Slope(x[i], c);
    }

    public static void Multiply(float* x, float* by, long count)
    {
        for (var i = 0L; i < count; i++) x[i] *= by[i];
    }
}
