using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Every number that the library takes out of a tensor, but for kernels, which have the memory of the CPU before them.</summary>
/// <remarks>On a GPU each of these waits until all work before it is done, so they are counted, and a training step has none.</remarks>
internal static class HostFetch
{
    private static long count;

    /// <summary>The number of fetches of this process so far, by all threads and from any device.</summary>
    public static long Count => Interlocked.Read(ref count);

    /// <summary>The value of a tensor of one element in its own dtype.</summary>
    public static T Fetch<T>(this Tensor tensor) where T : unmanaged
    {
        Interlocked.Increment(ref count);
        return tensor.item<T>();
    }

    /// <summary>The value of a tensor of one number of any dtype.</summary>
    public static unsafe double FetchDouble(this Tensor tensor)
    {
        Interlocked.Increment(ref count);
        if (KernelMemory.TryGet(tensor.Handle, ScalarType.Float32, 1, out var memory)) return *(float*)memory;
        if (KernelMemory.TryGet(tensor.Handle, ScalarType.Float64, 1, out memory)) return *(double*)memory;
        using var scalar = tensor.ToScalar();
        return scalar.ToDouble();
    }

    /// <summary>The value of a tensor of one integer of any dtype.</summary>
    public static long FetchInt64(this Tensor tensor)
    {
        Interlocked.Increment(ref count);
        using var scalar = tensor.ToScalar();
        return scalar.ToInt64();
    }

    /// <summary>All values of a tensor, in float64, in order. The caller has a dispose scope.</summary>
    public static double[] FetchDoubles(this Tensor tensor)
    {
        var count = tensor.numel();
        if (count == 0) return [];
        // TorchSharp's accessor reads number by number
        var values = GC.AllocateUninitializedArray<double>(checked((int)count));
        tensor.FetchInto(values);
        return values;
    }

    /// <summary>Writes all values of a tensor, in order, into memory of at least that size. The caller has a dispose scope.</summary>
    public static void FetchInto(this Tensor tensor, Span<double> destination) => Fetch(tensor, destination, ScalarType.Float64);

    /// <inheritdoc cref="FetchInto(Tensor, Span{double})"/>
    public static void FetchInto(this Tensor tensor, Span<float> destination) => Fetch(tensor, destination, ScalarType.Float32);

    private static unsafe void Fetch<T>(Tensor tensor, Span<T> destination, ScalarType type) where T : unmanaged
    {
        var count = checked((int)tensor.numel());
        if (count == 0) return;
        var values = tensor.FetchAll(type);
        new ReadOnlySpan<T>(KernelMemory.Pointer<T>(values), count).CopyTo(destination);
        GC.KeepAlive(values);
    }

    /// <summary>Copies bytes into a new tensor on the CPU that takes as many.</summary>
    public static unsafe void Store(ReadOnlySpan<byte> raw, Tensor tensor)
    {
        if (raw.IsEmpty) return;
        raw.CopyTo(new Span<byte>(KernelMemory.Pointer<byte>(tensor), raw.Length));
        GC.KeepAlive(tensor);
    }

    // TorchSharp's accessor throws on a tensor without elements

    /// <summary>All values of an int64 tensor, in order. The caller has a dispose scope.</summary>
    public static long[] FetchInt64s(this Tensor tensor) =>
        tensor.numel() == 0 ? [] : tensor.FetchAll(ScalarType.Int64).data<long>().ToArray();

    /// <summary>The tensor on the CPU, itself where it is there.</summary>
    public static Tensor FetchTensor(this Tensor tensor)
    {
        Interlocked.Increment(ref count);
        return tensor.cpu();
    }

    private static Tensor FetchAll(this Tensor tensor, ScalarType type) => tensor.FetchTensor().detach().to(type).contiguous();
}
