using System.Numerics;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The largest singular value of a matrix on the CPU without an operation of torch: see <see cref="SpectralKernel"/>.</summary>
internal static class SpectralNorm
{
    /// <summary>Whether the kernel can run for a weight (outputs, ...), which is a matrix row by row, and its vectors.</summary>
    public static bool CanRun(Tensor weight, Tensor u, Tensor v) => KernelSwitches.Residual
        && weight.dtype is ScalarType.Float32 or ScalarType.Float64 && u.dtype == weight.dtype && v.dtype == weight.dtype
        && KernelMemory.IsContiguous(weight) && weight.numel() > 0 && KernelMemory.Is(u, u.dtype, weight.size(0))
        && KernelMemory.Is(v, v.dtype, weight.numel() / weight.size(0));

    /// <summary>Takes the vectors on, in their place, to the next pair that is near enough.</summary>
    /// <returns>The pair, whose gradient is that of its last step, and whether the vectors were far at first.</returns>
    public static (SpectralPair Pair, bool WasFar) Step(Tensor weight, Tensor u, Tensor v, int steps, double residual, double coefficient)
    {
        var result = weight.dtype == ScalarType.Float32 ? Step<float>(weight, u, v, steps, residual, coefficient)
            : Step<double>(weight, u, v, steps, residual, coefficient);
        GC.KeepAlive(weight);
        GC.KeepAlive(u);
        GC.KeepAlive(v);
        return result;
    }

    /// <summary>σ = uᵀWv, with copies of the vectors if gradients need them.</summary>
    public static SpectralPair Of(Tensor weight, Tensor u, Tensor v, double coefficient, bool vectors)
    {
        var pair = weight.dtype == ScalarType.Float32 ? Of<float>(weight, u, v, coefficient, vectors)
            : Of<double>(weight, u, v, coefficient, vectors);
        GC.KeepAlive(weight);
        GC.KeepAlive(u);
        GC.KeepAlive(v);
        return pair;
    }

    /// <summary>The vectors of a pair as one tensor, of their dtype. The caller's scope owns it.</summary>
    public static Tensor Vectors(SpectralPair pair) => pair.Vectors is float[] single ? tensor(single) : tensor((double[])pair.Vectors);

    /// <summary>The left vector from which the last step of a pair came.</summary>
    public static Tensor Start(Tensor vectors, long outputs, long inputs) => vectors.narrow(0, outputs + inputs, outputs);

    private static unsafe (SpectralPair, bool) Step<T>(Tensor weight, Tensor u, Tensor v, int steps, double residual, double coefficient)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var (outputs, inputs) = ((int)u.numel(), (int)v.numel());
        var vectors = new T[2 * (outputs + inputs)];
        T* left = KernelMemory.Pointer<T>(u), right = KernelMemory.Pointer<T>(v);
        fixed (T* at = vectors)
        {
            var start = at + outputs + inputs;
            var (value, wasFar) = SpectralKernel.Run(KernelMemory.Pointer<T>(weight), outputs, inputs, left, right, steps, residual, start,
                start + outputs);
            Copy(left, outputs, right, inputs, vectors);
            return (new(coefficient, value, vectors), wasFar);
        }
    }

    private static unsafe void Copy<T>(T* left, int outputs, T* right, int inputs, Span<T> to) where T : unmanaged
    {
        new ReadOnlySpan<T>(left, outputs).CopyTo(to);
        new ReadOnlySpan<T>(right, inputs).CopyTo(to[outputs..]);
    }

    private static unsafe SpectralPair Of<T>(Tensor weight, Tensor u, Tensor v, double coefficient, bool vectors)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var (outputs, inputs) = ((int)u.numel(), (int)v.numel());
        T* left = KernelMemory.Pointer<T>(u), right = KernelMemory.Pointer<T>(v);
        var value = SpectralKernel.Value(KernelMemory.Pointer<T>(weight), outputs, inputs, left, right);
        var both = vectors ? new T[outputs + inputs] : [];
        if (vectors) Copy(left, outputs, right, inputs, both);
        return new(coefficient, value, both);
    }
}
