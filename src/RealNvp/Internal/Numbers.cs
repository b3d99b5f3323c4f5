using System.Numerics;
using System.Runtime.CompilerServices;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Whether a tensor holds NaN or infinity. In the memory of the CPU it is
/// read as it lies there, without an operation or memory of its own.</summary>
internal static class Numbers
{
    // so many numbers that an operation costs what it does
    private const long AtOnce = 1 << 22;

    /// <summary>True if all values are finite. On a device it waits for the result.</summary>
    public static bool AreFinite(Tensor tensor)
    {
        if (AreFiniteInMemory(tensor) is { } known) return known;
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        // numbers that stand for a whole dimension are looked at once
        var (once, stride) = (tensor, tensor.stride());
        for (var d = 0; d < stride.Length; d++)
            if (stride[d] == 0 && once.shape[d] > 1) once = once.narrow(d, 0, 1);
        if (!ReferenceEquals(once, tensor) && AreFiniteInMemory(once) is { } found) return found;
        return AllFinite(once).Fetch<bool>();
    }

    // isfinite takes more memory than what it looks at
    private static Tensor AllFinite(Tensor tensor)
    {
        if (tensor.numel() <= AtOnce) return tensor.isfinite().all();
        var (shape, longest) = (tensor.shape, 0);
        for (var d = 1; d < shape.Length; d++)
            if (shape[d] > shape[longest]) longest = d;
        var rows = Math.Max(1, AtOnce / (tensor.numel() / shape[longest]));
        Tensor? all = null;
        for (long start = 0; start < shape[longest]; start += rows)
        {
            using var step = NewDisposeScope();
            var part = AllFinite(tensor.narrow(longest, start, Math.Min(rows, shape[longest] - start)));
            all = step.MoveToOuter(all is null ? part : all.logical_and(part));
        }
        return all!;
    }

    /// <summary>As <see cref="AreFinite"/>; null if the tensor does not lie in the memory of the CPU in one piece.</summary>
    public static unsafe bool? AreFiniteInMemory(Tensor tensor)
    {
        var count = tensor.numel();
        bool? result = null;
        if (KernelMemory.TryGet(tensor.Handle, ScalarType.Float32, count, out var memory)) result = Scan((float*)memory, count);
        else if (KernelMemory.TryGet(tensor.Handle, ScalarType.Float64, count, out memory)) result = Scan((double*)memory, count);
        GC.KeepAlive(tensor);
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe bool Scan<T>(T* values, long count) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        long i = 0;
        var width = Vector<T>.Count;
        for (; i + (4 * width) <= count; i += 4 * width)
        {
            // what is finite gives 0, what is not gives NaN, and NaN stays
            var zero = Zero(values + i) + Zero(values + i + width) + (Zero(values + i + (2 * width)) + Zero(values + i + (3 * width)));
            if (!Vector.EqualsAll(zero, Vector<T>.Zero)) return false;
        }
        for (; i < count; i++)
            if (!T.IsFinite(values[i])) return false;
        return true;
    }

    private static unsafe Vector<T> Zero<T>(T* at) where T : unmanaged => Unsafe.ReadUnaligned<Vector<T>>(at) * Vector<T>.Zero;
}
